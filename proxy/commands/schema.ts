/** `schema`: the JSON Schema of the configuration file, which is how config/pullwarden.schema.json is made. */
import { writeFile } from 'node:fs/promises';
import { configJsonSchemaText } from '../config/json-schema.ts';
import { CommandError, type CommandIo } from './io.ts';

/**
 * Writes the schema to a file, or to standard output when none is named.
 *
 * @returns the exit code, 0.
 * @throws CommandError when the file cannot be written.
 */
export async function runSchema(file: string | undefined, io: CommandIo): Promise<number> {
  const text = configJsonSchemaText();
  if (file === undefined) io.out(text.trimEnd());
  else await writeFile(file, text).catch((error: NodeJS.ErrnoException) => throwUnwritable(file, error));
  return 0;
}

function throwUnwritable(file: string, { code }: NodeJS.ErrnoException): never {
  throw new CommandError(
    `the schema cannot be written to ${file} (${code}); name a file in a folder you may write to`,
  );
}
