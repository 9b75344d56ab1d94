/** The JSON Schema of the configuration file, for editors: generated from the definition that validates. */
import * as z from 'zod';
import { configSchema } from './config-schema.ts';

/** Draft 7, which is what YAML editors understand. It describes the file as written: with defaults left out. */
export function configJsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  return { $schema, title: 'Pullwarden configuration', ...schema };
}

/** The content of config/pullwarden.schema.json. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
}
