# docker build -t millwright . : one image, in which each container runs the stages that it is told.

FROM node:22-bookworm AS build
WORKDIR /app
# better-sqlite3 is compiled where no prebuilt is to be had: this image has the compiler, the other needs none.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund
# They have the rights of the clone, which may have been made for its owner alone.
RUN chmod -R a+rX bin examples package.json

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/bin ./bin
COPY --from=build /app/examples ./examples
# For a process on files; a volume that is mounted here takes its owner from it.
RUN mkdir /data && chown node:node /data
ENV MILLWRIGHT_DIRECTORY=/data
USER node
ENTRYPOINT ["node", "/app/bin/millwright.js"]
CMD ["start"]
