/** `whatis`: the declaration of a type, a variable, a function, an enumerator, an expression. */

import { DumpError } from '../bytes/errors.ts';
import { BtfKind } from '../linux/btf.ts';
import { baseName, declaration, typeText } from '../linux/declarations.ts';
import { findType, sizeOf } from '../linux/expression/ctype.ts';
import { evaluate, variableType } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { TypeRef } from '../linux/types.ts';
import type { Context, Run } from './command.ts';
import { definitionLines, type Prefix, sizeLine } from './layout.ts';
import { run as describeStruct } from './struct.ts';
import { searchTypes } from './type-search.ts';

export const run: Run = (kernel, words, options, context) => {
  const text = words.join(' ').trim();
  if (options.size !== undefined || options.member !== undefined) {
    if (text === '') return searchTypes(kernel, options);
    throw new DumpError('usage', '--size and --member search all types, and take no name');
  }
  if (text === '') {
    throw new DumpError('usage', 'whatis needs a name or an expression', {
      hint: 'whatis list_head, whatis jiffies, whatis init_task.mm',
    });
  }
  const prefix: Prefix =
    options.offsets === true ? { kind: 'offset', radix: 'decimal' } : { kind: 'none' };
  const lines = linesOf(kernel, text, prefix, context);
  return { json: () => ({ name: text, declaration: lines }), text: () => lines, missing: [] };
};

function linesOf(kernel: Kernel, text: string, prefix: Prefix, context: Context): string[] {
  const { types } = kernel;
  const member = memberOfType(kernel, text, context);
  if (member !== undefined) return member;
  const isSymbol = /^\w+$/.test(text) && kernel.symbols.lookup(text) !== undefined;
  const type = isSymbol ? variableType(kernel, text) : undefined;
  if (type !== undefined) {
    return [type.stars === 0 ? `${declaration(type.base, text)};` : `${typeText(type)}${text};`];
  }
  const known = /^[\w ]+$/.test(text) ? taggedType(kernel, text) : undefined;
  if (known !== undefined) return typeLines(kernel, known, prefix);
  if (isSymbol) {
    throw new DumpError('absent', `the type of "${text}" is not known: BTF has none`, {
      where: { virtual: kernel.symbol(text).address },
    });
  }
  const isType = findType(types, text);
  if (isType !== undefined) return [typeText(isType), `SIZE: ${sizeOf(types, isType)}`];
  const value = evaluate(kernel, text);
  const isEnumerator = 'number' in value && types.resolve(value.type.base).kind === 'enum';
  const constant = /^\w+$/.test(text) && isEnumerator && value.type.stars === 0;
  return [`${typeText(value.type)}${constant ? ` = ${value.number}` : ''}`];
}

/** `task_struct.comm`, with a tag before it or without. */
function memberOfType(kernel: Kernel, text: string, context: Context): string[] | undefined {
  const match = /^(?:(?:struct|union) +)?((\w+)\.[\w.,[\]]+)$/.exec(text);
  if (match === null) return undefined;
  const isType = taggedType(kernel, match[2]!) !== undefined;
  if (!isType || kernel.symbols.lookup(match[2]!) !== undefined) return undefined;
  return [...describeStruct(kernel, [match[1]!], {}, context).text()];
}

/** As in crash, a tag may be left out. */
function taggedType({ types }: Kernel, text: string): TypeRef | undefined {
  for (const name of [text, `struct ${text}`, `union ${text}`, `enum ${text}`]) {
    const ref = types.find(name);
    // `unsigned int` and what else is a base type has no declaration.
    if (ref !== undefined && ref.btf.kind(ref.id) !== BtfKind.int) return ref;
  }
  return undefined;
}

function typeLines({ types }: Kernel, ref: TypeRef, prefix: Prefix): string[] {
  const { btf, id } = ref;
  const behind = types.strip(ref);
  const type = types.resolve(ref);
  const isTypedef = btf.kind(id) === BtfKind.typedef;
  if (type.kind === 'struct') return [...definitionLines(types, ref, prefix, 'decimal')];
  if (type.kind === 'enum' && !isTypedef) {
    const values = types.enumeratorsOf(ref).map(({ name, value }) => `  ${name} = ${value}`);
    return [`${baseName(behind)} {`, ...values, '};'];
  }
  const target = { btf, id: btf.sizeOrType(id) };
  const text = typeText({ base: plain(target), stars: 0 });
  return [`typedef ${text} ${btf.typeName(id)};`, sizeLine(sizeOf(types, asType(ref)), 'decimal')];
}

/** gdb goes through all typedefs: `typedef unsigned long size_t`. */
function plain(start: TypeRef): TypeRef {
  let { id } = start;
  const { btf } = start;
  for (let depth = 0; depth < 64 && id !== 0 && btf.kind(id) === BtfKind.typedef; depth++) {
    id = btf.sizeOrType(id);
  }
  return { btf, id };
}

function asType(base: TypeRef): { readonly base: TypeRef; readonly stars: number } {
  return { base, stars: 0 };
}
