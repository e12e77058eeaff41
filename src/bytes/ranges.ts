/** Many half-open ranges of numbers, some over each other, made into a plain sorted list. */

/** Sorted by start, no overlaps; `owner[i]` is the number of the range that piece i is cut from. */
export interface RangeMap {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly owner: Uint32Array;
}

/**
 * Where ranges overlap, the one with the lowest number wins. Empty ranges vanish.
 * Takes O(n log n) however they overlap.
 */
export function firstWins(starts: ArrayLike<number>, ends: ArrayLike<number>): RangeMap {
  const order = new Uint32Array(starts.length);
  let count = 0;
  for (let range = 0; range < starts.length; range++) {
    if (ends[range]! > starts[range]!) order[count++] = range;
  }
  const sorted = order.subarray(0, count).sort((a, b) => starts[a]! - starts[b]!);
  let disjoint = true;
  for (let index = 1; index < count && disjoint; index++) {
    disjoint = ends[sorted[index - 1]!]! <= starts[sorted[index]!]!;
  }
  if (!disjoint) return paint(sorted, starts, ends);
  return {
    start: Float64Array.from(sorted, (range) => starts[range]!),
    end: Float64Array.from(sorted, (range) => ends[range]!),
    owner: sorted.slice(),
  };
}

/**
 * Cuts the axis at every start and end and paints the cells in order of priority; `free` leads from
 * a painted cell to the next unpainted one, so that no cell is visited twice.
 */
function paint(ranges: Uint32Array, starts: ArrayLike<number>, ends: ArrayLike<number>): RangeMap {
  const edges = new Float64Array(ranges.length * 2);
  for (const [index, range] of ranges.entries()) {
    edges[2 * index] = starts[range]!;
    edges[2 * index + 1] = ends[range]!;
  }
  edges.sort();
  const unpainted = 0xffffffff;
  const owner = new Uint32Array(edges.length).fill(unpainted);
  const free = Uint32Array.from(edges, (_, cell) => cell);
  const nextFree = (cell: number): number => {
    let at = cell;
    while (free[at] !== at) {
      free[at] = free[free[at]!]!;
      at = free[at]!;
    }
    return at;
  };
  for (const range of ranges.slice().sort()) {
    const last = lowerBound(edges, ends[range]!);
    for (let cell = nextFree(lowerBound(edges, starts[range]!)); cell < last; ) {
      owner[cell] = range;
      free[cell] = cell + 1;
      cell = nextFree(cell + 1);
    }
  }
  return joinCells(edges, owner, unpainted);
}

function joinCells(edges: Float64Array, owner: Uint32Array, unpainted: number): RangeMap {
  const pieces: { start: number; end: number; owner: number }[] = [];
  for (let cell = 0; cell + 1 < edges.length; cell++) {
    const start = edges[cell]!;
    const end = edges[cell + 1]!;
    if (owner[cell] === unpainted || end === start) continue;
    const last = pieces.at(-1);
    if (last !== undefined && last.owner === owner[cell] && last.end === start) last.end = end;
    else pieces.push({ start, end, owner: owner[cell]! });
  }
  return {
    start: Float64Array.from(pieces, (piece) => piece.start),
    end: Float64Array.from(pieces, (piece) => piece.end),
    owner: Uint32Array.from(pieces, (piece) => piece.owner),
  };
}

/** Index of the first element that is not below `value`; the length if all are. */
export function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first piece that ends after `at`; the length if none does. */
export function pieceFrom(map: RangeMap, at: number): number {
  const index = lowerBound(map.end, at);
  return map.end[index] === at ? index + 1 : index;
}
