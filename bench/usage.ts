import { readdirSync, readFileSync } from "node:fs"

export type Usage = { readonly cpu: number; readonly peakMb: number }

/**
 * CPU seconds of a process with all its threads and children, also those that have ended, and the peak of its own
 * resident memory in MB (Linux).
 */
export function usage(pid: number): Usage {
  const fields = statOf(pid)
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  const own = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) / 100
  const children = childrenOf(pid).reduce((sum, child) => sum + usage(child).cpu, 0)
  return { cpu: own + children, peakMb: Number(peak?.[1] ?? 0) / 1024 }
}

/** CPU seconds of each thread so far, the busiest first: main loop, writers, compaction, garbage collection. */
export function threads(pid: number): string {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"))
    return { name: `${name} ${task}`, cpu: (Number(fields[11]) + Number(fields[12])) / 100 }
  })
  return tasks
    .sort((a, b) => b.cpu - a.cpu)
    .filter(({ cpu }) => cpu >= 0.1)
    .map(({ name, cpu }) => `${name}: ${cpu.toFixed(1)} s`)
    .join(", ")
}

/** The fields of /proc/PID/stat after the name: state, parent, …; 11 to 14 are the times of itself and its ended children. */
function statOf(pid: number): readonly string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)
}
