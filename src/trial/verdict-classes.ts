/** What can become of a dump: the judge's words, the best first. */

export const verdictClasses = [
  'complete',
  'partial',
  'inaccurate',
  'unreadable',
  'none',
  'destructive',
  'not-triggered',
  'undecidable',
] as const;
export type VerdictClass = (typeof verdictClasses)[number];
