/**
 * A strict reader of the XML that documents of pictures are written in: well-formed, no duplicate
 * attribute or identifier, no reference to what is not there. Source: XML 1.0, chapter 2.
 */

/** What is wrong with a document; empty: nothing. */
export function xmlProblems(text: string): string[] {
  const problems: string[] = [];
  const open: string[] = [];
  const ids = new Map<string, number>();
  const references: string[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  for (const [found] of text.matchAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g)) {
    problems.push(`character ${found.charCodeAt(0)}`);
  }
  if (/\p{Cs}/u.test(text)) problems.push('half of a surrogate pair');
  let at = 0;
  let roots = 0;
  const body = text.replace(/^<!DOCTYPE html>\n/, '');
  const token = /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g;
  for (const match of body.matchAll(token)) {
    problems.push(...textProblems(body.slice(at, match.index)));
    at = match.index + match[0].length;
    const [, end, name = '', attributes = '', empty] = match;
    if (end === '/') {
      const last = open.pop();
      if (last !== name) problems.push(`</${name}> ends <${last}>`);
      continue;
    }
    if (open.length === 0) roots++;
    if (empty !== '/') open.push(name);
    const names = new Set<string>();
    for (const [, key = '', value = ''] of attributes.matchAll(/([\w:-]+)="([^"]*)"/g)) {
      if (names.has(key)) problems.push(`<${name}> has ${key} twice`);
      names.add(key);
      problems.push(...textProblems(value));
      if (key === 'id') ids.set(value, (ids.get(value) ?? 0) + 1);
      if (key === 'aria-labelledby') references.push(...value.split(' '));
    }
  }
  problems.push(...textProblems(body.slice(at)));
  if (open.length > 0) problems.push(`not ended: ${open.join(' ')}`);
  if (roots !== 1) problems.push(`${roots} roots`);
  for (const [, id = ''] of body.matchAll(/url\(#([\w-]+)\)/g)) references.push(id);
  for (const [id, count] of ids) if (count > 1) problems.push(`${count} elements are ${id}`);
  for (const id of references) if (!ids.has(id)) problems.push(`nothing is ${id}`);
  return problems;
}

function textProblems(text: string): string[] {
  const bare = text.replace(/&(?:amp|lt|gt|quot|#39);/g, '');
  return /[<&]/.test(bare) ? [`text ${JSON.stringify(text.slice(0, 60))}`] : [];
}
