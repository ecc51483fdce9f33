/**
 * Which fresh blocks each series has, by id and so in the order in which they were written. It is kept in memory:
 * where each block holds a sample or two, an index on the disk costs several times what writing the blocks does.
 */
export class FreshBlocks {
  private readonly bySeries = new Map<number, { ids: number[]; counts: number[]; samples: number }>()

  add(series: number, id: number, samples: number): void {
    const known = this.bySeries.get(series)
    if (known === undefined) {
      this.bySeries.set(series, { ids: [id], counts: [samples], samples })
    } else {
      known.ids.push(id)
      known.counts.push(samples)
      known.samples += samples
    }
  }

  remove(series: number, ids: readonly number[]): void {
    const known = this.bySeries.get(series)
    if (known === undefined) return
    this.bySeries.delete(series)
    const gone = new Set(ids)
    known.ids.forEach((id, at) => {
      if (!gone.has(id)) this.add(series, id, Number(known.counts[at]))
    })
  }

  of(series: number): { readonly ids: readonly number[]; readonly samples: number } {
    return this.bySeries.get(series) ?? { ids: [], samples: 0 }
  }
}
