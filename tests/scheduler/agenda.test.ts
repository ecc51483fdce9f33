import fc from "fast-check"
import { expect, test } from "vitest"
import { createAgenda, type Entry } from "../../scheduler/agenda.ts"

const step = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e"),
  entry: fc.option(fc.record({ atMs: fc.nat(9), weight: fc.nat(2) }), { nil: undefined }),
})

test("what comes first is what a sorted list has first, however entries were set, replaced and taken away", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const agenda = createAgenda<Entry>()
      const kept = new Map<string, Entry>()
      for (const { key, entry } of steps) {
        const whole = entry && { key, ...entry }
        agenda.set(key, whole)
        if (whole === undefined) kept.delete(key)
        else kept.set(key, whole)
        const [first] = [...kept.values()].toSorted(
          (a, b) => a.atMs - b.atMs || b.weight - a.weight || (a.key < b.key ? -1 : 1),
        )
        expect(agenda.first()).toEqual(first)
        expect(agenda.get(key)).toEqual(whole)
      }
      while (agenda.first() !== undefined) agenda.set(agenda.first()?.key ?? "", undefined)
      expect(agenda.first()).toBeUndefined()
    }),
  )
})
