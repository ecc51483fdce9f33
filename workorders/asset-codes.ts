/** Codes on assets, as their QR codes say them: who has one may ask for work there without an account. */
import { createHash } from "node:crypto"
import { Audit } from "../core/audit.ts"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { inEffect } from "./in-effect.ts"
import { intakeQueue } from "./intake.ts"
import type { WorkOrderTables } from "./tables.ts"

type Asker = { readonly actor: string; readonly atMs: number }

type AssetCode = {
  /** Not the code, which nobody can be told again: the start of its hash. */
  readonly id: string
  readonly asset: string
  readonly by: string
  readonly madeMs: number
  readonly revokedMs: number | null
}

export type AssetCodes = {
  /** `code` is secret and was made at random; only its hash is kept. */
  make(asset: string, code: string, asker: Asker): Promise<AssetCode>
  /** Newest first. */
  list(asker: Pick<Asker, "actor">): Promise<readonly AssetCode[]>
  /** By the id or its start; nobody can use it from then on. Gives false where it was revoked before. */
  revoke(id: string, asker: Asker): Promise<AssetCode & { readonly before: boolean }>
}

const makers: readonly Role[] = ["planner", "engineer", "supervisor", "admin"]
const idLength = 12

export function hashOfCode(code: string): string {
  return createHash("sha256").update(code).digest("hex")
}

export function createAssetCodes(options: {
  readonly database: Database
  newest(): Revision | undefined
}): AssetCodes {
  const { database, newest } = options
  const audit = new Audit(database)
  return {
    async make(asset, code, { actor, atMs }) {
      const { plant, assets } = inEffect(newest)
      authorise(plant, actor, makers)
      if (!assets.has(asset))
        throw new MillwrightError("NOT_FOUND", `there is no asset "${asset}" in the plant`)
      const row = { hash: hashOfCode(code), asset, made_by: actor, made_ms: atMs, revoked_ms: null }
      await database.transaction<WorkOrderTables, void>(async (trx) => {
        await trx.insertInto("asset_code").values(row).execute()
        await audit.record(trx, { atMs, actor, action: "code.make", subject: asset, detail: toCode(row).id })
      }, intakeQueue)
      return toCode(row)
    },

    async list({ actor }) {
      authorise(inEffect(newest).plant, actor, [...makers, "auditor"])
      const rows = await database
        .tables<WorkOrderTables>()
        .selectFrom("asset_code")
        .selectAll()
        .orderBy("made_ms", "desc")
        .orderBy("hash")
        .execute()
      return rows.map(toCode)
    },

    async revoke(id, { actor, atMs }) {
      authorise(inEffect(newest).plant, actor, makers)
      return database.transaction<WorkOrderTables, AssetCode & { readonly before: boolean }>(async (trx) => {
        const found = (await trx.selectFrom("asset_code").selectAll().execute()).filter(({ hash }) =>
          hash.startsWith(id),
        )
        const [row] = found
        if (row === undefined || id.length < 4)
          throw new MillwrightError(
            "NOT_FOUND",
            `there is no code "${id}": give the id, or 4 characters of its start, as millwright codes list shows it`,
          )
        if (found.length > 1)
          throw new MillwrightError("USAGE", `several codes begin with "${id}": give more of the id`)
        if (row.revoked_ms !== null) return { ...toCode(row), before: true }
        await trx.updateTable("asset_code").set({ revoked_ms: atMs }).where("hash", "=", row.hash).execute()
        const { id: known, asset } = toCode(row)
        await audit.record(trx, { atMs, actor, action: "code.revoke", subject: asset, detail: known })
        return { ...toCode({ ...row, revoked_ms: atMs }), before: false }
      }, intakeQueue)
    },
  }
}

function toCode({ hash, asset, made_by, made_ms, revoked_ms }: WorkOrderTables["asset_code"]): AssetCode {
  return { id: hash.slice(0, idLength), asset, by: made_by, madeMs: made_ms, revokedMs: revoked_ms }
}
