/** `sizeof`: bytes of types, of variables and of expressions. */

import { DumpError } from '../bytes/errors.ts';
import { plural } from '../bytes/text.ts';
import { typeText } from '../linux/declarations.ts';
import { type CType, findType, sizeOf, typeOfRef } from '../linux/expression/ctype.ts';
import { evaluate } from '../linux/expression/evaluate.ts';
import type { Kernel } from '../linux/kernel.ts';
import type { Run } from './command.ts';

export const run: Run = (kernel, words) => {
  const text = words.join(' ').trim();
  if (text === '') {
    throw new DumpError('usage', 'sizeof needs a type or an expression', {
      hint: 'sizeof task_struct, sizeof "struct page *", sizeof init_task.comm',
    });
  }
  const type = typeNamed(kernel, text);
  const size = sizeOf(kernel.types, type);
  const name = typeText(type);
  return {
    json: () => ({ type: name, bytes: size }),
    text: () => [`${name}: ${plural(size, 'byte')}`],
    missing: [],
  };
};

function typeNamed(kernel: Kernel, text: string): CType {
  const { types } = kernel;
  for (const tag of ['struct', 'union', 'enum']) {
    const ref = types.find(`${tag} ${text}`);
    if (ref !== undefined) return typeOfRef(ref);
  }
  const type = findType(types, text) ?? evaluate(kernel, text).type;
  if (type.stars === 0 && types.resolve(type.base).kind === 'opaque') {
    throw new DumpError('absent', `the type of "${text}" is not known, or has no size`);
  }
  return type;
}
