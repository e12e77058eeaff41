/** include/uapi/linux/btf.h, enum BTF_KIND_*. */
export const BtfKind = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  functionPrototype: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declarationTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** What C writes before the name of a type of this kind. */
export const tagKeywords: Readonly<Record<number, string>> = {
  [BtfKind.struct]: 'struct',
  [BtfKind.union]: 'union',
  [BtfKind.enum]: 'enum',
  [BtfKind.enum64]: 'enum',
};
