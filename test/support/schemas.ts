/** The published JSON schemas, ready to judge a document. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { root } from './cli.ts';

const folder = join(root, 'docs/reference/json');

export const schemaNames: readonly string[] = readdirSync(folder).filter((name) =>
  name.endsWith('.json'),
);

const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
for (const name of schemaNames) ajv.addSchema(JSON.parse(readFileSync(join(folder, name), 'utf8')));

/** What is wrong with a document by the schema that it names itself; empty: nothing. */
export function schemaProblems(document: { readonly schema: string }): string[] {
  const validate = ajv.getSchema(`${document.schema.replace('/', '-')}.json`);
  if (validate === undefined) return [`no schema ${document.schema}`];
  if (validate(document) === true) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
