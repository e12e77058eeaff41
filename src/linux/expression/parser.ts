/**
 * C expressions as trees. What is a type name and what a variable only the kernel's types can tell:
 * the parser is given a function to ask.
 */

import { DumpError } from '../../bytes/errors.ts';
import { characterValue, type Token, tokenize } from './lexer.ts';

/** `struct x *`: a type of the kernel and the pointers to it. */
export interface TypeName {
  readonly base: string;
  readonly stars: number;
}

export type UnaryOperator = '&' | '*' | '-' | '+' | '~' | '!';

export type Node =
  | {
      readonly kind: 'number';
      readonly value: bigint;
      readonly suffix: string;
      readonly hex: boolean;
    }
  | { readonly kind: 'char'; readonly value: bigint }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'unary'; readonly operator: UnaryOperator; readonly of: Node }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: Node;
      readonly right: Node;
    }
  | { readonly kind: 'conditional'; readonly test: Node; readonly yes: Node; readonly no: Node }
  | { readonly kind: 'cast'; readonly to: TypeName; readonly of: Node }
  | { readonly kind: 'sizeof'; readonly of: Node | TypeName }
  | { readonly kind: 'member'; readonly of: Node; readonly name: string }
  | { readonly kind: 'index'; readonly of: Node; readonly index: Node }
  | {
      readonly kind: 'container';
      readonly of: Node;
      readonly type: TypeName;
      readonly path: string;
    }
  | { readonly kind: 'offset'; readonly type: TypeName; readonly path: string }
  | { readonly kind: 'perCpu'; readonly name: string; readonly cpu: Node };

/** Parentheses and operators nest; deeper is no expression that a person wrote. */
const maxDepth = 200;

/** From weak to strong. */
const precedence: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

const unaryOperators: ReadonlySet<string> = new Set(['&', '*', '-', '+', '~', '!']);
const tags: ReadonlySet<string> = new Set(['struct', 'union', 'enum']);
const qualifiers: ReadonlySet<string> = new Set(['const', 'volatile']);
const baseWords: ReadonlySet<string> = new Set([
  ...['unsigned', 'signed', 'long', 'int', 'short', 'char', 'void', '_Bool'],
]);

/** The tree of `text`. Throws `usage` where it is no expression. */
export function parseExpression(text: string, isTypeName: (name: string) => boolean): Node {
  const parser = new Parser(text, isTypeName);
  const node = parser.expression();
  parser.expectEnd();
  return node;
}

/** `struct x *`, `unsigned long`, `pid_t`; undefined where `text` is no type. */
export function parseTypeName(
  text: string,
  isTypeName: (name: string) => boolean,
): TypeName | undefined {
  const parser = new Parser(text, isTypeName);
  if (!parser.startsType()) return undefined;
  const type = parser.typeName();
  parser.expectEnd();
  return type;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  readonly #isTypeName: (name: string) => boolean;
  #next = 0;
  #depth = 0;

  constructor(text: string, isTypeName: (name: string) => boolean) {
    this.#text = text;
    this.#tokens = tokenize(text);
    this.#isTypeName = isTypeName;
  }

  expectEnd(): void {
    if (this.#token.kind !== 'end') this.#refuse();
  }

  expression(): Node {
    return this.#deeper(() => {
      const test = this.#binary(0);
      if (!this.#take('?')) return test;
      const yes = this.expression();
      this.#expect(':');
      return { kind: 'conditional', test, yes, no: this.expression() };
    });
  }

  /** Does a type name begin here? */
  startsType(): boolean {
    const { kind, text } = this.#token;
    if (kind !== 'name') return false;
    return tags.has(text) || qualifiers.has(text) || baseWords.has(text) || this.#isTypeName(text);
  }

  typeName(): TypeName {
    const base = this.#baseType();
    let stars = 0;
    for (;;) {
      if (this.#take('*')) stars++;
      else if (!this.#takeQualifier()) break;
    }
    return { base, stars };
  }

  #baseType(): string {
    const words: string[] = [];
    while (this.#takeQualifier());
    if (tags.has(this.#token.text)) {
      words.push(this.#takeName(), this.#takeName());
    } else if (baseWords.has(this.#token.text)) {
      while (baseWords.has(this.#token.text) || qualifiers.has(this.#token.text)) {
        if (!this.#takeQualifier()) words.push(this.#takeName());
      }
    } else {
      words.push(this.#takeName());
    }
    while (this.#takeQualifier());
    return words.join(' ');
  }

  #takeQualifier(): boolean {
    if (!qualifiers.has(this.#token.text)) return false;
    this.#next++;
    return true;
  }

  #binary(level: number): Node {
    const operators = precedence[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    while (this.#token.kind === 'sign' && operators.includes(this.#token.text)) {
      const operator = this.#advance().text;
      left = { kind: 'binary', operator, left, right: this.#binary(level + 1) };
      this.#depth++;
      this.#checkDepth();
    }
    return left;
  }

  #unary(): Node {
    const { kind, text } = this.#token;
    if (kind === 'sign' && unaryOperators.has(text)) {
      this.#next++;
      const of = this.#deeper(() => this.#unary());
      return { kind: 'unary', operator: text as UnaryOperator, of };
    }
    if (kind === 'name' && text === 'sizeof') {
      this.#next++;
      return { kind: 'sizeof', of: this.#deeper(() => this.#sizeofOperand()) };
    }
    if (text === '(' && kind === 'sign') {
      this.#next++;
      if (this.startsType()) {
        const to = this.typeName();
        this.#expect(')');
        return { kind: 'cast', to, of: this.#deeper(() => this.#unary()) };
      }
      this.#next--;
    }
    return this.#postfix(this.#primary());
  }

  #sizeofOperand(): Node | TypeName {
    if (this.#token.text !== '(') return this.#unary();
    this.#next++;
    if (this.startsType()) {
      const type = this.typeName();
      this.#expect(')');
      return type;
    }
    this.#next--;
    return this.#unary();
  }

  #postfix(start: Node): Node {
    let node = start;
    for (;;) {
      if (this.#take('.') || this.#take('->')) {
        node = { kind: 'member', of: node, name: this.#takeName() };
      } else if (this.#take('[')) {
        node = { kind: 'index', of: node, index: this.expression() };
        this.#expect(']');
      } else {
        return node;
      }
      this.#depth++;
      this.#checkDepth();
    }
  }

  #primary(): Node {
    const token = this.#advance();
    switch (token.kind) {
      case 'number':
        return numberNode(token.text);
      case 'char':
        return { kind: 'char', value: characterValue(token.text) };
      case 'name':
        return this.#token.text === '(' ? this.#call(token.text) : nameNode(token.text);
      default: {
        if (token.text !== '(') this.#refuse(token);
        const inner = this.expression();
        this.#expect(')');
        return inner;
      }
    }
  }

  /** What looks like a call: the macros that a kernel's people think in. Nothing can be called. */
  #call(name: string): Node {
    this.#expect('(');
    switch (name) {
      case 'container_of':
      case 'list_entry': {
        const of = this.expression();
        this.#expect(',');
        const type = this.typeName();
        this.#expect(',');
        return { kind: 'container', of, type, path: this.#path() };
      }
      case 'offsetof': {
        const type = this.typeName();
        this.#expect(',');
        return { kind: 'offset', type, path: this.#path() };
      }
      case 'per_cpu': {
        const variable = this.#takeName();
        this.#expect(',');
        const cpu = this.expression();
        this.#expect(')');
        return { kind: 'perCpu', name: variable, cpu };
      }
      default:
        throw new DumpError('usage', `"${name}" cannot be called: the kernel does not run`, {
          hint:
            'there are container_of(POINTER, TYPE, MEMBER), offsetof(TYPE, MEMBER) and ' +
            'per_cpu(NAME, CPU)',
        });
    }
  }

  /** `a.b[3].c)`. */
  #path(): string {
    let path = this.#takeName();
    for (;;) {
      if (this.#take('.')) path += `.${this.#takeName()}`;
      else if (this.#take('[')) {
        const index = this.#advance();
        if (index.kind !== 'number') this.#refuse(index);
        path += `[${Number(index.text)}]`;
        this.#expect(']');
      } else break;
    }
    this.#expect(')');
    return path;
  }

  get #token(): Token {
    return this.#tokens[this.#next]!;
  }

  #advance(): Token {
    const token = this.#token;
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  #take(sign: string): boolean {
    if (this.#token.kind !== 'sign' || this.#token.text !== sign) return false;
    this.#next++;
    return true;
  }

  #takeName(): string {
    const token = this.#advance();
    if (token.kind !== 'name') this.#refuse(token);
    return token.text;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) this.#refuse();
  }

  #deeper<T>(body: () => T): T {
    const before = this.#depth++;
    this.#checkDepth();
    const result = body();
    this.#depth = before;
    return result;
  }

  #checkDepth(): void {
    if (this.#depth > maxDepth) {
      throw new DumpError('usage', `an expression with more than ${maxDepth} levels`);
    }
  }

  #refuse(token: Token = this.#token): never {
    const rest = this.#text.slice(token.at, token.at + 20);
    const where = token.kind === 'end' ? 'ends too early' : `makes no sense from "${rest}" on`;
    throw new DumpError('usage', `"${this.#text}" ${where}`);
  }
}

function nameNode(name: string): Node {
  return { kind: 'name', name };
}

function numberNode(text: string): Node {
  const suffix = /[ul]*$/i.exec(text)![0].toLowerCase();
  const digits = text.slice(0, text.length - suffix.length);
  const isOctal = /^0[0-7]+$/.test(digits);
  if (/^0[0-9]+$/.test(digits) && !isOctal) {
    throw new DumpError('usage', `"${digits}" begins with 0 and is not octal`);
  }
  const value = BigInt(isOctal ? `0o${digits}` : digits);
  if (value >= 1n << 64n) throw new DumpError('usage', `"${digits}" has more than 64 bits`);
  return { kind: 'number', value, suffix, hex: /^0./.test(digits) };
}
