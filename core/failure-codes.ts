/**
 * What a finding can state. The built-in lists follow the division of ISO 14224 (failure mode, failure mechanism,
 * failure cause, maintenance activity) in words of their own; a plant adds to them, by class of asset where it likes.
 */
import type { Plant } from "./plant.ts"

export type Code = { readonly code: string; readonly text: string }

/** From the table of codes to what one of them is called. */
export const codeLists = {
  problems: "problem",
  mechanisms: "mechanism",
  causes: "cause",
  remedies: "remedy",
} as const
export type CodeList = keyof typeof codeLists
export type FailureCodeLists = Readonly<Record<CodeList, readonly Code[]>>

export const builtInCodes: FailureCodeLists = {
  problems: listed({
    NST: "does not start when asked to",
    NSP: "does not stop when asked to",
    STP: "stopped by itself",
    BRK: "broke down suddenly",
    LOW: "gives less than it should",
    HIGH: "gives more than it should",
    ERR: "works unevenly: output swings or drifts",
    VIB: "vibrates more than it should",
    NOI: "makes unusual noise",
    HOT: "runs too hot",
    COLD: "runs too cold",
    LKE: "leaks to the outside",
    LKI: "leaks inside, or passes when closed",
    BLK: "blocked or choked",
    STU: "stuck, or moves with difficulty",
    PAR: "a reading is not as it should be",
    ALM: "false or missing alarm of the equipment's own",
    STRC: "damaged structure, support or casing",
    CON: "uses too much energy, oil or other supplies",
    SMA: "small fault while in service",
    NONE: "no fault found",
    OTH: "other problem",
    UNK: "problem not known",
  }),
  mechanisms: listed({
    WEA: "wear by rubbing or rolling",
    FAT: "fatigue: cracks by repeated load",
    COR: "corrosion",
    ERO: "erosion by the flow or by particles",
    CAV: "cavitation",
    BRE: "breakage or crack by overload",
    DEF: "bent, dented or swollen",
    LOO: "loosened, or wrong clearance",
    ALI: "out of alignment or balance",
    STI: "seized or sticking",
    OVH: "overheated",
    LEA: "seal or joint no longer tight",
    LUB: "lubricant lacking, aged or contaminated",
    CNT: "contaminated or fouled",
    PLG: "plugged by deposits",
    SHO: "short circuit",
    OPN: "open circuit or broken wire",
    INSU: "insulation broken down, or earth fault",
    PWR: "power or supply lacking or faulty",
    SIG: "signal missing or wrong",
    ADJ: "out of adjustment or calibration",
    SWF: "software or settings",
    AGE: "aged material: brittle, hardened",
    OTH: "other mechanism",
    UNK: "mechanism not known",
  }),
  causes: listed({
    DES: "design or choice of the equipment",
    MAT: "wrong or faulty material or part",
    FAB: "made wrongly",
    INS: "installed or commissioned wrongly",
    OFF: "run outside what it is made for",
    OPE: "operated wrongly",
    MNT: "maintained wrongly",
    LACK: "maintenance left out or late",
    TEAR: "expected wear and tear",
    ENV: "surroundings: weather, dust, flooding",
    ACC: "accident or impact",
    NEXT: "failure of another item",
    DOC: "procedure or document lacking or wrong",
    OTH: "other cause",
    UNK: "cause not known",
  }),
  remedies: listed({
    REPL: "replaced",
    REP: "repaired",
    ADJ: "adjusted, aligned or balanced",
    REF: "refitted or tightened",
    LUB: "lubricated",
    CLE: "cleaned",
    CAL: "calibrated",
    SET: "settings or software changed",
    SER: "serviced",
    MOD: "modified",
    OVH: "overhauled",
    TST: "tested",
    INS: "inspected",
    NONE: "nothing was done",
    OTH: "other activity",
  }),
}

function listed(texts: Readonly<Record<string, string>>): readonly Code[] {
  return Object.entries(texts).map(([code, text]) => ({ code, text }))
}

/** The lists for a class: its own codes before those for the whole plant, before the built-in ones; the first counts. */
export function failureCodesFor({ failureCodes }: Pick<Plant, "failureCodes">, ofClass: string | undefined) {
  const own = failureCodes.filter((lists) => lists.class !== undefined && lists.class === ofClass)
  const common = failureCodes.filter((lists) => lists.class === undefined)
  const sources = [...own, ...common, builtInCodes]
  const join = (list: CodeList): readonly Code[] => {
    const known = new Map<string, Code>()
    for (const one of sources.flatMap((lists) => lists[list]))
      if (!known.has(one.code)) known.set(one.code, one)
    return [...known.values()]
  }
  return {
    problems: join("problems"),
    mechanisms: join("mechanisms"),
    causes: join("causes"),
    remedies: join("remedies"),
  } satisfies FailureCodeLists
}

/** The code as its list writes it, however it is written here. */
export function findCode(codes: readonly Code[], wanted: string): Code | undefined {
  const plain = wanted.trim().toLowerCase()
  return codes.find(({ code }) => code === wanted) ?? codes.find(({ code }) => code.toLowerCase() === plain)
}

/** Codes that may have been meant: alike, or with what was written in their text. All, where there is no such code. */
export function codesLike(codes: readonly Code[], wanted: string): readonly Code[] {
  const plain = wanted.trim().toLowerCase()
  if (plain === "") return codes
  const words = plain.split(/\s+/).filter((word) => word.length > 2)
  const like = codes.filter(({ code, text }) => {
    const [known, told] = [code.toLowerCase(), text.toLowerCase()]
    return known.startsWith(plain) || plain.startsWith(known) || words.some((word) => told.includes(word))
  })
  return like.length === 0 ? codes : like
}
