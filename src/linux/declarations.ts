/**
 * C declarations of the kernel's types, spelled as gdb's ptype and therefore crash spell them:
 * `unsigned long` where gcc says `long unsigned int`, `const struct cred *cred`,
 * `int (*open)(struct inode *, struct file *)`.
 */

import { type Btf, BtfKind } from './btf.ts';
import type { CType } from './expression/ctype.ts';
import type { TypeRef } from './types.ts';

/** Pointers, arrays and functions nest; a cycle of them is damage. */
const maxDepth = 64;
/** Functions that take functions, all in all: what has more is damage. */
const maxParameters = 500;

/** How many parameters may still be written. */
interface Budget {
  left: number;
}

const spellings: Readonly<Record<string, string>> = {
  'short int': 'short',
  'short unsigned int': 'unsigned short',
  'long int': 'long',
  'long unsigned int': 'unsigned long',
  'long long int': 'long long',
  'long long unsigned int': 'unsigned long long',
};

/** A declaration taken apart: its base type, and what stands around the name. */
export interface Declarator {
  /** The struct, union, enum, typedef or base type that it begins with. */
  readonly base: TypeRef;
  /** `const `, `volatile ` or nothing. */
  readonly qualifiers: string;
  /** `*name`, `(*name)(int)`, `name[4]`. */
  readonly text: string;
}

/** Takes the type of `name` apart; `name` may be empty. */
export function declaratorOf({ btf, id }: TypeRef, name: string): Declarator {
  return unwrap(btf, id, name, { left: maxParameters });
}

/** A declaration in one line. A struct without a name is `struct {...}`. */
export function declaration(ref: TypeRef, name: string): string {
  const { base, qualifiers, text } = declaratorOf(ref, name);
  return `${qualifiers}${baseName(base)}${text === '' ? '' : ` ${text}`}`;
}

/** The same for the type of an expression. */
export function typeText({ base, stars }: CType): string {
  const { btf, id } = base;
  const pointers = '*'.repeat(stars);
  return declaration(base, stars > 0 && takesParentheses(btf, id) ? `(${pointers})` : pointers);
}

function unwrap(btf: Btf, start: number, name: string, budget: Budget): Declarator {
  let id = start;
  let text = name;
  let qualifiers = '';
  for (let steps = 0; steps < maxDepth && id !== 0; steps++) {
    const kind = btf.kind(id);
    if (kind === BtfKind.pointer) {
      id = btf.sizeOrType(id);
      const constant = qualifiers === '' ? '' : ` ${qualifiers}`;
      qualifiers = '';
      text = takesParentheses(btf, id) ? `(*${constant}${text})` : `*${constant}${text}`;
    } else if (kind === BtfKind.array) {
      const { type, length } = btf.array(id);
      id = type;
      text = `${text}[${length}]`;
    } else if (kind === BtfKind.functionPrototype) {
      text = `${text}(${parameters(btf, id, budget)})`;
      id = btf.sizeOrType(id);
    } else if (kind === BtfKind.const || kind === BtfKind.volatile) {
      qualifiers += kind === BtfKind.const ? 'const ' : 'volatile ';
      id = btf.sizeOrType(id);
    } else if (kind === BtfKind.restrict || kind === BtfKind.typeTag) {
      id = btf.sizeOrType(id);
    } else {
      break;
    }
  }
  return { base: { btf, id }, qualifiers, text: text.trimEnd() };
}

/** Is what `id` names written behind the name, so that a pointer to it needs parentheses? */
function takesParentheses(btf: Btf, id: number): boolean {
  const kind = id === 0 ? BtfKind.void : btf.kind(id);
  return kind === BtfKind.array || kind === BtfKind.functionPrototype;
}

function parameters(btf: Btf, id: number, budget: Budget): string {
  const all = btf.parameters(id);
  if (all.length === 0) return 'void';
  budget.left -= all.length;
  if (budget.left < 0) return '...';
  const texts = all.map(({ type, name }) => {
    if (type === 0 && name === '') return '...';
    const { base, qualifiers, text } = unwrap(btf, type, '', budget);
    return `${qualifiers}${baseName(base)}${text === '' ? '' : ` ${text}`}`;
  });
  return texts.join(', ');
}

/** `struct list_head`, `unsigned long`, `pid_t`, `enum {...}`. */
export function baseName({ btf, id }: TypeRef): string {
  if (id === 0) return 'void';
  const tagged = btf.tagged(id);
  if (tagged !== undefined) return tagged;
  const name = btf.typeName(id);
  if (btf.kind(id) === BtfKind.forward) return `${btf.flag(id) ? 'union' : 'struct'} ${name}`;
  return spellings[name] ?? name;
}
