/** Maximise `cost` · x with rows within their bounds; column by column, as HiGHS takes it. All columns are from 0 to 1. */
export type Program = {
  readonly cost: Float64Array
  readonly integer: Int32Array
  readonly rowLower: Float64Array
  readonly rowUpper: Float64Array
  readonly starts: Int32Array
  readonly indices: Int32Array
  readonly values: Float64Array
}

/** Collects columns and rows in any order. */
export class ProgramBuilder {
  private readonly cost: number[] = []
  private readonly integer: number[] = []
  private readonly lower: number[] = []
  private readonly upper: number[] = []
  private readonly entries: [number, number][][] = []

  column(cost: number, integer: boolean): number {
    this.cost.push(cost)
    this.integer.push(integer ? 1 : 0)
    return this.entries.push([]) - 1
  }

  row(lower: number, upper: number): number {
    this.lower.push(lower)
    return this.upper.push(upper) - 1
  }

  entry(column: number, row: number, value: number): void {
    if (value !== 0) this.entries[column]?.push([row, value])
  }

  program(): Program {
    const starts = [0]
    for (const entries of this.entries) starts.push((starts.at(-1) ?? 0) + entries.length)
    return {
      cost: Float64Array.from(this.cost),
      integer: Int32Array.from(this.integer),
      rowLower: Float64Array.from(this.lower),
      rowUpper: Float64Array.from(this.upper),
      starts: Int32Array.from(starts),
      indices: Int32Array.from(this.entries.flatMap((entries) => entries.map(([row]) => row))),
      values: Float64Array.from(this.entries.flatMap((entries) => entries.map(([, value]) => value))),
    }
  }
}
