import { readdirSync } from "node:fs"
import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { beforeEach, expect, test } from "vitest"
import { scratchDirectory } from "../pipeline.ts"
import { runCommand as run } from "./setup.ts"

const root = join(import.meta.dirname, "..", "..")
let scratch: string

beforeEach(async (context) => {
  scratch = await scratchDirectory()
  context.onTestFinished(() => rm(scratch, { recursive: true }))
})

const examples = readdirSync(join(root, "examples/rules")).filter((name) => name.endsWith(".yaml"))

test.each(examples)("millwright rules test examples/rules/%s", async (name) => {
  const { out } = await run(["rules", "test", join(root, "examples/rules", name)])
  expect(out).toMatch(/cases?: \d+ ok, 0 failed/)
})

test("the example that --help shows is one that passes", async () => {
  const { out } = await run(["rules", "test", "--help"])
  const [, shown = ""] = /A file of cases, bearing.yaml:\n([\s\S]*?)\n\n/.exec(out) ?? []
  const file = await written("bearing.yaml", shown.replace(/^ {2}/gm, ""))
  expect((await run(["rules", "test", file])).out).toContain("1 case: 1 ok, 0 failed")
})

const cases = (detections: string) => `signals: { vibration: { unit: mm/s } }
cases:
  - name: a value above its limit opens an episode
    rules: [{ id: high, kind: threshold, signal: vibration, params: { above: 7 } }]
    input: 00:10 vibration=8
    detections: ${detections}
  - name: nothing comes of nothing
`

test("a case that fails is shown with what was expected and what was found, and the command fails", async () => {
  const file = await written("cases.yaml", cases('"00:20 high opened warning"'))
  const { out, failure } = await run(["rules", "test", file])
  expect(out).toBe(`${file}
  FAILED  a value above its limit opens an episode (line 3)
            (- expected and not found, + found and not expected)
          - 00:20 high opened warning
          + 00:10 high opened warning: vibration 8 mm/s above 7 mm/s
  ok      nothing comes of nothing
2 cases: 1 ok, 1 failed
`)
  expect(failure).toMatchObject({ code: "CASES_FAILED", message: "1 case failed" })
})

test("a file that can't be used is told with its line, and the others are run", async () => {
  const bad = await written("bad.yaml", "signals: {}\ncases:\n  - input: 1")
  const good = await written("good.yaml", cases("00:10 high opened warning"))
  const { out, error, failure } = await run(["rules", "test", bad, join(scratch, "none.yaml"), good])
  expect(out).toContain("2 cases: 2 ok, 0 failed")
  expect(error).toContain(`${bad} can't be used:\n  line 3: cases[0].name: `)
  expect(error).toContain("the test file can't be read: ENOENT")
  expect(failure).toMatchObject({ code: "USAGE", message: "2 files can't be used" })
})

test("a case runs a rule of a plant file over a recording that lies beside it", async () => {
  await written("plant.yaml", plant(4.5))
  await written("pump.csv", "time,vibration,remark\n2026-03-04T06:00Z,2,ok\n2026-03-04T07:00Z,5,loud\n")
  const file = await written(
    "cases.yaml",
    "plant: plant.yaml\ncases:\n  - name: a\n    csv: pump.csv\n    detections: 2026-03-04 07:00 high opened warning\n",
  )
  expect((await run(["rules", "test", file])).out).toContain("1 case: 1 ok, 0 failed")
  const wrong = await written(
    "wrong.yaml",
    "plant: plant.yaml\ncases:\n  - name: a\n    csv: { file: pump.csv, time: ts }\n",
  )
  expect((await run(["rules", "test", wrong])).error).toContain("line 4: ")
})

test("a rule is tried on a CSV without any server", async () => {
  const { out, failure } = await run(
    "rules try bearing-vibration --plant examples/tour/plant.yaml --csv examples/tour/pump.csv --asset P-101".split(
      " ",
    ),
  )
  expect(failure).toBeUndefined()
  expect(out).toBe(`TIME              STEP    SEVERITY  ASSET  VALUE  REASON
2026-03-04 08:00  opened  warning   P-101  4.75   bearing vibration 4.75 mm/s above 4.5 mm/s for 2 h
2026-03-04 22:00  raised  alarm     P-101  7.61   bearing vibration 7.61 mm/s above 7.1 mm/s for 2 h

72 rows from 2026-03-02 00:00 to 2026-03-04 23:00: 72 samples of 1 asset
2 detections, 1 episode, about 10 a month and asset
`)
})

test("a recording in rows of single samples, with bad rows, of several assets", async () => {
  const csv = await written(
    "long.csv",
    "ts,pump,tag,reading\n1767225600,1,vibration,9\n1767225660,2,vibration,9\n1767225720,1,vibration,n/a\n1767229200,1,level,3\n",
  )
  const file = await written("plant.yaml", plant(7))
  const words =
    `rules try high --plant ${file} --csv ${csv} --layout long --time ts --signal tag --value reading`.split(
      " ",
    )
  const { failure } = await run([...words, "--asset-column", "P-{pump}"])
  expect(failure).toMatchObject({ code: "PAYLOAD_INVALID", message: expect.stringContaining("line 4") })
  const { out } = await run([...words, "--asset-column", "P-{pump}", "--skip-bad-rows"])
  expect(out).toContain("opened  warning   P-1    9")
  expect(out).toContain("3 rows from 2026-01-01 00:00 to 2026-01-01 01:00: 1 sample of 1 asset")
  expect(out).toContain("1 row of other assets left out")
  expect(out).toContain("left out: level, which the class of the asset does not declare")
  expect(out).toContain("1 row could not be read and was left out")
})

test("rows of two machines taken for one are told, with the option that tells them apart", async () => {
  const rows = [0, 1, 2].flatMap((hour) =>
    [1, 2].map((pump) => `2026-03-04T0${hour}:00Z,P-${pump},${pump === 2 ? 9 : 2}`),
  )
  const csv = await written("pumps.csv", `time,pump,vibration\n${rows.join("\n")}\n`)
  const two = await written("plant.yaml", plant(7).replace(/( {2}- \{ id: )P-1(.*\n)/, "$1P-1$2$1P-2$2"))
  const words = ["rules", "try", "high", "--plant", two, "--csv", csv]
  const { out } = await run([...words, "--asset", "P-1"])
  expect(out).toContain("6 rows from 2026-03-04 00:00 to 2026-03-04 02:00: 3 samples of 1 asset\n")
  expect(out).toContain("3 samples left out as duplicates: their time was there already\n")
  expect(out).toContain(
    "! the file seems to be about several assets, whose rows were all taken for one: say with --asset-column which column names the asset\n",
  )
  expect(JSON.parse((await run([...words, "--asset", "P-1", "--json"])).out)).toMatchObject({
    samples: 3,
    duplicates: 3,
    seemsSeveral: true,
  })
  const apart = (await run([...words, "--asset-column", "{pump}"])).out
  expect(apart).toContain("opened  warning   P-2    9")
  expect(apart).not.toMatch(/duplicates|seems/)
})

test("what a rule is not shown of a recording is counted: repeats, and what no sensor can mean", async () => {
  const rows = Array.from({ length: 12 }, (_, hour) => `2026-03-04T${String(hour).padStart(2, "0")}:00Z,2`)
  const csv = await written(
    "pump.csv",
    `time,vibration\n${[...rows, rows[11], "2026-03-04T12:00Z,1e200"].join("\n")}\n`,
  )
  const file = await written("plant.yaml", plant(7))
  const { out } = await run(["rules", "try", "high", "--plant", file, "--csv", csv])
  expect(out).toContain("12 samples of 1 asset\n")
  expect(out).toContain("1 sample left out as a duplicate: its time was there already\n")
  expect(out).toContain("1 sample left out as unusable, beyond 1e150\n")
  expect(out).not.toContain("seems")
})

test("apply warns of a rule that states an order and can never make one", async () => {
  const watch = plant(7).replace("kind: threshold,", "kind: threshold, severity: watch, order: { due: 7d },")
  const file = await written("plant.yaml", watch)
  const { error, failure } = await run(["apply", file, "--yes", "--directory", join(scratch, "plant")])
  expect(failure).toBeUndefined()
  expect(error).toContain('! rule "high": order: makes no order, since it finds watch at most')
})

test("a history of a plant's first revision says how many there are of what is too much to name", async () => {
  const directory = join(scratch, "plant")
  const ask = (...words: string[]) => run([...words, "--directory", directory])
  const pumps = (count: number) =>
    Array.from({ length: count }, (_, at) => `  - { id: P-${at + 1}, site: hall, class: pump }\n`).join("")
  const source = (count: number) => plant(7).replace(/ {2}- \{ id: P-1.*\n/, pumps(count))
  const apply = async (text: string) =>
    ask("apply", await written("plant.yaml", text), "--yes", "--reason", "x")
  await apply(source(6))
  await apply(source(8))
  const { out } = await ask("rules", "history")
  const [, second, first] = out.split("\n")
  expect(second).toMatch(/ {2}\+ asset P-7; \+ asset P-8$/)
  expect(first).toMatch(/ {2}added 1 site, 1 class, 6 assets, 1 rule, 1 setting$/)
  expect((await ask("rules", "history", "--limit", "0")).error).toContain(
    "expected a whole number, at least 1",
  )
})

test("a rule goes back to an earlier revision, and all else stays as it is", async () => {
  const directory = join(scratch, "plant")
  const ask = (...words: string[]) => run([...words, "--directory", directory, "--as", "erika"])
  const apply = async (source: string, reason: string) =>
    ask("apply", await written("plant.yaml", source), "--yes", "--reason", reason)
  const people = "people: [{ id: erika, name: Erika, roles: [engineer] }]\n"
  await apply(plant(4.5) + people, "first")
  await apply(plant(9) + people, "too many alarms")
  await apply(`${plant(9)}${people}# A comment.\nplans: []\nflood: { above: 12 }\n`, "shorter")

  const { out: history } = await ask("rules", "history", "high")
  expect(history.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d/g, "TIME            ")).toBe(
    `REVISION  TIME              WHO    WHY              CHANGED
2         TIME              erika  too many alarms  params.above: 4.5 -> 9
1         TIME              erika  first            added
`,
  )
  expect((await ask("rules", "history")).out).toContain("~ setting flood")

  const back = ["rules", "rollback", "high", "--to", "1", "--reason", "bearings failed unseen"]
  expect((await ask(...back, "--dry-run")).out).toBe("~ rule high\n")
  expect((await ask("export")).out).toContain("above: 9")
  expect((await ask(...back)).out).toBe(`~ rule high
revision 4 by erika: rule high as in revision 1: bearings failed unseen
Plant files on disk are as they were: millwright export FILE writes the one in effect
`)
  expect((await ask("export")).out).toBe(
    `${plant(4.5)}${people}# A comment.\nplans: []\nflood: { above: 12 }\n`,
  )
  expect((await ask("audit")).out).toContain("rule high as in revision 1: bearings failed unseen")

  expect((await ask(...back)).failure).toMatchObject({ code: "USAGE" })
  expect((await ask("rules", "history", "hi")).failure).toMatchObject({ code: "NOT_FOUND" })
  expect((await run([...back, "--directory", directory, "--as", "nobody"])).failure).toMatchObject({
    code: "NOT_ALLOWED",
  })

  expect((await ask("rollback", "--to", "2", "--reason", "wrong file")).out).toContain(
    "~ rule high\n~ setting flood\nrevision 5 by erika: plant as in revision 2: wrong file\n",
  )
  expect((await ask("export")).out).toBe(plant(9) + people)
})

function plant(above: number): string {
  return `plant: works
sites: [{ id: hall }]
classes: [{ id: pump, signals: { vibration: { unit: mm/s } } }]
assets:
  - { id: P-1, site: hall, class: pump }
rules:
  - { id: high, kind: threshold, for: { class: pump }, signal: vibration, params: { above: ${above} } }
`
}

async function written(name: string, text: string): Promise<string> {
  const file = join(scratch, name)
  await writeFile(file, text)
  return file
}

test("a recording that can't be used is told with what to do, and what was left out is told", async () => {
  const plantFile = await written("plant.yaml", plant(4.5))
  const tried = async (csv: string) => {
    const file = await written("pump.csv", csv)
    return run(["rules", "try", "high", "--plant", plantFile, "--csv", file])
  }
  expect((await tried("time;vibration\n2026-03-04T06:00Z;2,4\n")).failure).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("expected commas between its columns"),
  })
  expect((await tried("")).failure).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("is empty: expected a line of column names"),
  })
  expect((await tried("time,vib\n2026-03-04T06:00Z,2.4\n")).failure).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("its columns are time, vib; a column is read by the name of its signal"),
  })
  const long = "time,signal,value\n2026-03-04T06:00Z,vibration,2\n2026-03-04T07:00Z,vibr,3\n"
  expect((await tried(long)).out).toContain("left out: vibr, which the class of the asset does not declare")
})
