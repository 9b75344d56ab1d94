/** Every schema of the configuration says what its value should be: no fault falls back to "a valid value". */
import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { configSchema } from '../../proxy/config/config-schema.ts';
import { formOf } from '../../proxy/config/schema-forms.ts';

type Found = { readonly path: string; readonly schema: z.core.$ZodType };

/** The schema of each value, wherever it stands. A literal is told with the union it is in. */
function schemasIn(schema: z.core.$ZodType, path: string): readonly Found[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return schemasIn(schema.unwrap(), path);
  const below =
    schema instanceof z.ZodObject
      ? Object.entries(schema.shape).flatMap(([key, value]) => schemasIn(value, `${path}.${key}`))
      : schema instanceof z.ZodArray
        ? schemasIn(schema.element, `${path}[]`)
        : schema instanceof z.ZodUnion
          ? schema.options.flatMap((option) => schemasIn(option, path))
          : [];
  return schema instanceof z.ZodLiteral ? below : [{ path, schema }, ...below];
}

test('every value has the form it is told by', () => {
  const found = schemasIn(configSchema, '');
  expect(found.length).toBeGreaterThan(60);
  expect(found.filter(({ schema }) => formOf(schema) === undefined).map(({ path }) => path)).toEqual([]);
});
