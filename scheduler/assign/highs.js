// HiGHS computes without a pause, so it has a thread of its own.
// Plain JavaScript, because a worker thread starts from the file itself: the same file serves tests, tsx and dist.
import { parentPort } from "node:worker_threads"
import * as highsPackage from "highs"

/** @typedef {import("./solver.ts").Question} Question */
/** @typedef {import("./solver.ts").Reply} Reply */

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort)
// Its types are those of a CommonJS module, whose default stands one step deeper than that of the module that is loaded.
const loadHighs = /** @type {typeof highsPackage.default.default} */ (
  /** @type {unknown} */ (highsPackage.default)
)
const highs = await loadHighs()
const { modelStatus, objectiveSense, variableType } = highs.constants

/**
 * @param {Question} question
 * @returns {Reply}
 */
function solve({ program, limits }) {
  const { cost, integer, rowLower, rowUpper, starts, indices, values } = program
  const [numCols, numRows] = [cost.length, rowLower.length]
  return highs.withModel(
    {
      numCols,
      numRows,
      sense: objectiveSense.maximize,
      colCost: cost,
      colLower: new Float64Array(numCols),
      colUpper: new Float64Array(numCols).fill(1),
      rowLower,
      rowUpper,
      matrix: { format: "csc", numRows, numCols, starts, indices, values },
      integrality: Array.from(integer, (one) => (one === 1 ? variableType.integer : variableType.continuous)),
    },
    (model) => {
      model.options.set({
        output_flag: false,
        random_seed: limits.seed,
        mip_max_nodes: limits.nodes,
        mip_rel_gap: limits.gap,
        // To begin anew at the root takes as long again, and has found nothing better.
        mip_allow_restart: false,
        time_limit: limits.seconds,
      })
      model.run()
      const status = model.getModelStatus()
      // HiGHS's own: 2 is a feasible point.
      const found = model.info.get("primal_solution_status") === 2
      return {
        values: found ? model.getSolution().colValue : null,
        timedOut: status === modelStatus.timeLimit,
        proven: status === modelStatus.optimal,
      }
    },
  )
}

port.on("message", (/** @type {Question} */ question) => port.postMessage(solve(question)))
