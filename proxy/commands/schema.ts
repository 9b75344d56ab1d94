/** `schema`: the JSON Schema of the configuration file, which is how config/pullwarden.schema.json is made. */
import { writeFile } from 'node:fs/promises';
import { configJsonSchemaText } from '../config/json-schema.ts';
import type { CommandIo } from './io.ts';

/** Writes the schema to a file, or to standard output when none is named. @returns the exit code, 0. */
export async function runSchema(file: string | undefined, io: CommandIo): Promise<number> {
  const text = configJsonSchemaText();
  if (file === undefined) io.out(text.trimEnd());
  else await writeFile(file, text);
  return 0;
}
