/**
 * The C types of a kernel as TypeScript declarations: what each member of a view is, by the rules
 * of `src/linux/objects.ts`. They add to the interfaces of `src/linux/kernel-types.ts`.
 */

import { attempt, type DumpError } from '../bytes/errors.ts';
import { type Btf, BtfKind } from '../linux/btf.ts';
import type { Type, TypeRef, TypeTable } from '../linux/types.ts';
import { variableTypes } from '../linux/variables.ts';

/** Anonymous types nest; deeper is damage. */
const maxDepth = 16;
/** Characters of the list of an enum's values. */
const maxValues = 400;

/** Words that TypeScript keeps for itself where a type's name stands. */
const reserved: ReadonlySet<string> = new Set([
  ...['any', 'as', 'asserts', 'async', 'await', 'bigint', 'boolean', 'break', 'case', 'catch'],
  ...['class', 'const', 'continue', 'debugger', 'declare', 'default', 'delete', 'do', 'else'],
  ...['enum', 'export', 'extends', 'false', 'finally', 'for', 'function', 'if', 'implements'],
  ...['import', 'in', 'infer', 'instanceof', 'interface', 'is', 'keyof', 'let', 'module'],
  ...['namespace', 'never', 'new', 'null', 'number', 'object', 'package', 'private', 'protected'],
  ...['public', 'readonly', 'require', 'return', 'static', 'string', 'super', 'switch', 'symbol'],
  ...['this', 'throw', 'true', 'try', 'type', 'typeof', 'undefined', 'unique', 'unknown', 'var'],
  ...['void', 'while', 'with', 'yield', 'KernelArray', 'KernelTypes', 'KernelVariables'],
]);

export interface Declarations {
  /** Lines without their ends; to be read once. */
  readonly lines: Iterable<string>;
  /** Types that were left out because BTF is damaged; known when all lines have been read. */
  readonly problems: readonly DumpError[];
}

/** Every struct, union, enum and typedef of a kernel and its modules, under comments of `head`. */
export function typeDeclarations(types: TypeTable, head: readonly string[]): Declarations {
  const problems: DumpError[] = [];
  return { lines: new Declarer(types, problems).lines(head), problems };
}

class Declarer {
  readonly #types: TypeTable;
  readonly #problems: DumpError[];
  /** Names of declarations, by blob and id; typedefs of what has a name itself are aliases. */
  readonly #names = new Map<Btf, Map<number, string>>();
  readonly #written = new Set<string>();
  readonly #taken = new Set<string>(reserved);
  /** What `kernel.object` takes, with the name of the declaration. */
  readonly #objects = new Map<string, string>();

  constructor(types: TypeTable, problems: DumpError[]) {
    this.#types = types;
    this.#problems = problems;
  }

  *lines(head: readonly string[]): Generator<string> {
    const all = [...this.#types.all()];
    // By their tags first: a typedef may stand before what it names.
    for (const ref of all) this.#attempt(() => this.#giveTagName(ref));
    for (const ref of all) this.#attempt(() => this.#giveTypedefName(ref));
    for (const line of head) yield `// ${printable(line)}`;
    yield '';
    yield "import type { KernelArray } from 'tsdump';";
    yield '';
    for (const ref of all) {
      yield* this.#attempt(() => [...this.#declaration(ref)]) ?? this.#damaged(ref);
    }
    yield "declare module 'tsdump' {";
    yield '  interface KernelTypes {';
    for (const [name, declared] of this.#objects) {
      yield `    readonly ${JSON.stringify(name)}: ${declared};`;
    }
    yield '  }';
    yield '  interface KernelVariables {';
    for (const [name, stated] of Object.entries(variableTypes)) {
      const text = this.#attempt(() => this.#variable(stated));
      if (text !== undefined) yield `    readonly ${name}: ${text};`;
    }
    yield '  }';
    yield '}';
  }

  #giveTagName(ref: TypeRef): void {
    const name = ref.btf.typeName(ref.id);
    switch (ref.btf.kind(ref.id)) {
      case BtfKind.struct:
        this.#offer(`struct ${name}`, this.#declare(ref, `struct_${name}`));
        break;
      case BtfKind.union:
        this.#offer(`union ${name}`, this.#declare(ref, `union_${name}`));
        break;
      case BtfKind.enum:
      case BtfKind.enum64:
        this.#declare(ref, `enum_${name}`);
    }
  }

  /** A typedef may be the only name of a struct. */
  #giveTypedefName(ref: TypeRef): void {
    if (ref.btf.kind(ref.id) !== BtfKind.typedef) return;
    const name = ref.btf.typeName(ref.id);
    const type = this.#types.resolve(ref);
    if (type.kind === 'struct') {
      const target = this.#types.strip(ref);
      this.#offer(name, this.#nameOf(target) ?? this.#declare(target, name));
    } else if (type.kind === 'int' || type.kind === 'enum') {
      this.#declare(ref, name);
    }
  }

  /** The first of a name is the one that a lookup finds. */
  #offer(name: string, declared: string): void {
    if (!this.#objects.has(name)) this.#objects.set(name, declared);
  }

  #declare(ref: TypeRef, wanted: string): string {
    const { btf, id } = owned(ref);
    const base = wanted.replace(/[^\w$]/g, '_').replace(/^(?=\d)/, '_');
    let name = base;
    for (let number = 2; this.#taken.has(name); number++) name = `${base}_${number}`;
    this.#taken.add(name);
    let names = this.#names.get(btf);
    if (names === undefined) {
      names = new Map();
      this.#names.set(btf, names);
    }
    names.set(id, name);
    return name;
  }

  #nameOf(ref: TypeRef): string | undefined {
    const { btf, id } = owned(ref);
    return this.#names.get(btf)?.get(id);
  }

  *#declaration(ref: TypeRef): Generator<string> {
    const target = this.#types.strip(ref);
    const type = this.#types.resolve(ref);
    const isTypedef = ref.btf.kind(ref.id) === BtfKind.typedef;
    if (type.kind === 'struct') {
      // A typedef of an anonymous struct stands for it; of others it is no more than another name.
      if (isTypedef && type.name !== '') return;
      const name = this.#nameOf(target)!;
      if (this.#written.has(name)) return;
      yield `/** ${printable(this.#types.nameOf(ref))}, ${type.size} bytes. */`;
      yield `interface ${name} {`;
      for (const [member, { type: of }] of type.members) {
        yield `  readonly ${key(member)}: ${this.#text(of, 0)};`;
      }
      this.#written.add(name);
      yield '}';
    } else if (type.kind === 'int' || type.kind === 'enum') {
      const name = this.#nameOf(ref);
      if (name === undefined) return;
      if (type.kind === 'enum') yield* this.#values(target);
      yield `type ${name} = ${isTypedef ? this.#aliased(ref, type) : scalar(type)};`;
    }
  }

  /** Others speak of it. */
  #damaged(ref: TypeRef): string[] {
    const name = this.#nameOf(ref) ?? attempt(() => this.#nameOf(this.#types.strip(ref)));
    if (name === undefined || this.#written.has(name)) return [];
    this.#written.add(name);
    return ['/** Not in the dump, or damaged. */', `type ${name} = unknown;`];
  }

  /** A typedef of an enum with a name is that enum. */
  #aliased(ref: TypeRef, type: Type): string {
    const target = this.#types.strip(ref);
    return this.#nameOf(target) ?? scalar(type);
  }

  *#values(ref: TypeRef): Generator<string> {
    const all = this.#types.enumeratorsOf(ref).map(({ name, value }) => `${name} ${value}`);
    const text = printable(all.join(', '));
    yield `/** ${text.length > maxValues ? `${text.slice(0, maxValues)} ...` : text} */`;
  }

  /** What a member of that type is. */
  #text(ref: TypeRef, depth: number): string {
    const type = this.#types.resolve(ref);
    switch (type.kind) {
      case 'int':
      case 'enum':
        return this.#nameOf(ref) ?? this.#nameOf(this.#types.strip(ref)) ?? scalar(type);
      case 'struct':
        return this.#nameOf(this.#types.strip(ref)) ?? this.#anonymous(type.members, depth);
      case 'array': {
        const element = this.#types.resolve(type.element);
        if (element.kind === 'int' && element.char) return 'string';
        return `KernelArray<${this.#text(type.element, depth + 1)}>`;
      }
      case 'pointer':
        if (this.#types.resolve(type.target).kind !== 'struct') return 'bigint';
        return `${this.#text(type.target, depth + 1)} | null`;
      case 'opaque':
        return 'never';
    }
  }

  #anonymous(members: ReadonlyMap<string, { readonly type: TypeRef }>, depth: number): string {
    if (depth > maxDepth) return 'unknown';
    const parts = [...members].map(([name, { type }]) => {
      return `readonly ${key(name)}: ${this.#text(type, depth + 1)}`;
    });
    return parts.length === 0 ? '{}' : `{ ${parts.join('; ')} }`;
  }

  /** As `kernel.variable` reads it. */
  #variable(stated: string): string | undefined {
    const isPointer = stated.endsWith('*');
    const name = isPointer ? stated.slice(0, -1).trim() : stated;
    if (isPointer && !name.startsWith('struct ')) return 'bigint';
    const ref = this.#types.find(name);
    if (ref === undefined) return undefined;
    const text = this.#text(ref, 0);
    return isPointer ? `${text} | null` : text;
  }

  #attempt<T>(read: () => T): T | undefined {
    return attempt(read, (problem) => this.#problems.push(problem));
  }
}

/** A module may speak of the types of vmlinux by ids of its own blob. */
function owned({ btf, id }: TypeRef): TypeRef {
  return btf.base !== undefined && id < btf.firstId ? { btf: btf.base, id } : { btf, id };
}

function scalar(type: Type): string {
  if (type.kind === 'int' && type.bool) return 'boolean';
  return type.size > 4 ? 'bigint' : 'number';
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** Fit for a comment: damaged names may end it. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').replaceAll('*/', '*?');
}
