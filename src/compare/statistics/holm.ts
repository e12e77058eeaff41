/** S. Holm's correction, Scand. J. Statist. 6 (1979): holds whatever the tests have in common. */

/** Adjusted p, in the order of the given ones: below a level, it is rejected at that level. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, at) => at).sort((one, other) => ps[one]! - ps[other]!);
  const adjusted = new Array<number>(ps.length);
  let least = 0;
  order.forEach((at, rank) => {
    least = Math.max(least, Math.min(1, ps[at]! * (ps.length - rank)));
    adjusted[at] = least;
  });
  return adjusted;
}
