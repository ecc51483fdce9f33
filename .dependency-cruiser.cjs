// Imports go one way: core <- stage <- app, cli <- main. docs/decisions/0001-rooms.md tells why.
const rooms = ["ingest", "rules", "scheduler", "workorders", "simulators"]

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, dependencyTypesNot: ["type-only"] },
    },
    {
      name: "core-imports-no-room",
      severity: "error",
      from: { path: "^core/" },
      to: { path: `^(${rooms.join("|")}|cli)/|^(app|stores|main)\\.ts$` },
    },
    ...rooms.map((room) => ({
      name: `${room}-imports-core-and-itself`,
      severity: "error",
      from: { path: `^${room}/` },
      to: {
        path: `^(${[...rooms.filter((other) => other !== room), "cli"].join("|")})/|^(app|stores|main)\\.ts$`,
      },
    })),
    {
      name: "app-imports-no-cli",
      severity: "error",
      from: { path: "^app\\.ts$" },
      to: { path: "^(cli/|main\\.ts$)" },
    },
    {
      name: "each-package-has-its-room",
      severity: "error",
      from: { pathNot: "^ingest/" },
      to: { path: "node_modules/(aedes|js-quantities)/" },
    },
    {
      name: "sqlite-only-behind-its-thread",
      severity: "error",
      from: { pathNot: "^core/(sqlite/worker\\.js|directory\\.ts)$" },
      to: { path: "node_modules/better-sqlite3/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
}
