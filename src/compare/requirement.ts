/** Gates on rates: `mkdump.complete >= 0.95 and kexec:2004.inaccurate < 0.01`. */

import { DumpError } from '../bytes/errors.ts';
import { suggestion } from '../bytes/suggest.ts';
import { methodWord, parseMethod } from '../capture/catalogue.ts';
import type { VerdictClass } from '../trial/verdict-classes.ts';
import { countedClasses } from './outcomes.ts';
import { wilson } from './statistics/wilson.ts';
import { level, type MethodSummary } from './summary.ts';

export interface Requirement {
  readonly method: string;
  readonly verdict: VerdictClass;
  readonly operator: '>=' | '>' | '<=' | '<';
  readonly bound: number;
}

export interface RequirementResult extends Requirement {
  readonly n: number;
  readonly k: number;
  /** The end of Wilson's interval that has to keep the bound: the worse one. */
  readonly value: number;
  readonly isMet: boolean;
}

const pattern = /^([\w:.-]+)\.([a-z-]+)\s*(>=|<=|>|<)\s*(\S+)$/;
const example = "as in 'mkdump.complete >= 0.95, kexec.inaccurate < 0.01'";

/** Throws `usage`. */
export function parseRequirements(text: string): Requirement[] {
  return text.split(/,|\s+and\s+/).map((part) => parseRequirement(part.trim()));
}

function parseRequirement(text: string): Requirement {
  const [, word = '', name = '', operator = '', number = ''] = pattern.exec(text) ?? [];
  if (word === '') {
    throw new DumpError('usage', `"${text}" is no METHOD.CLASS >= SHARE`, { hint: example });
  }
  const { method, generation } = parseMethod(word);
  const verdict = countedClasses.find((known) => known === name);
  if (verdict === undefined) {
    const unknown = `no rate is made of class "${name}"${suggestion(name, countedClasses)}`;
    throw new DumpError('usage', unknown, { hint: `one of ${countedClasses.join(', ')}` });
  }
  const bound = Number(number);
  if (!(bound >= 0 && bound <= 1)) {
    throw new DumpError('usage', `"${number}" is no share`, { hint: 'a number from 0 to 1' });
  }
  return {
    method: methodWord(method.name, generation),
    verdict,
    operator: operator as Requirement['operator'],
    bound,
  };
}

/** A method without trials shows nothing. */
export function checkRequirement(
  requirement: Requirement,
  methods: readonly Pick<MethodSummary, 'method' | 'n' | 'classes'>[],
): RequirementResult {
  const { method, verdict, operator, bound } = requirement;
  const summary = methods.find((each) => each.method === method);
  const n = summary?.n ?? 0;
  const k = summary?.classes[verdict] ?? 0;
  const { low, high } = wilson(k, n, level);
  const value = operator.startsWith('>') ? low : high;
  const isMet = {
    '>=': value >= bound,
    '>': value > bound,
    '<=': value <= bound,
    '<': value < bound,
  }[operator];
  return { ...requirement, n, k, value, isMet };
}
