/** What can become of a dump: the judge's words, in the order of design chapter 5. */

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
