/**
 * The forms of values the configuration is made of. Each schema is registered with what a person is told when a value does
 * not fit it; schema-findings.ts looks that up by the path of the issue. No message of zod's is set or read.
 */
import * as z from 'zod';
import { isRegistry } from '../names/reference.ts';
import { addressFault } from './address.ts';
import { DURATION, parseDuration } from './duration.ts';

/** What a person is told about a value: what it should be, and what to do. */
export type Form = {
  /** To be read after "must be": `a port`. */
  readonly wanted: string;
  /** The next step: `write a whole number from 0 to 65535`. */
  readonly next: string;
  /** The next step where a list is empty; absent: `next`. */
  readonly nextIfEmpty?: string;
  /** The only values there are. */
  readonly choices?: readonly string[];
  /** What is wrong with this text in particular; undefined: nothing that is known here. */
  readonly detail?: (text: string) => Form | undefined;
};

const FORMS = z.registry<Form>();

/** The form a schema was made with here; undefined for any other schema. */
export function formOf(schema: z.core.$ZodType): Form | undefined {
  return FORMS.get(schema);
}

/**
 * A mapping with these keys and no others.
 *
 * @param needs what must be below it, where the keys that are required one by one do not say it.
 */
export function section<T extends z.core.$ZodShape>(shape: T, needs?: string) {
  const known = Object.keys(shape).join(', ');
  const required = needs ?? Object.keys(shape).filter(isRequired(shape)).join(', ');
  const next =
    required === ''
      ? `write any of these keys below it, none of which is required: ${known}`
      : `write the required keys below it: ${required}`;
  return z.strictObject(shape).register(FORMS, { wanted: 'a mapping', next });
}

/** As zod sees it: neither optional nor with a default. */
function isRequired(shape: z.core.$ZodShape): (key: string) => boolean {
  return (key) => shape[key]?._zod.optin === undefined;
}

export function list<T extends z.core.SomeType>(item: T, what: string) {
  return z.array(item).register(FORMS, { wanted: 'a list', next: `write "- ..." for each ${what}` });
}

/** A list with at least one entry. */
export function fullList<T extends z.core.SomeType>(item: T, what: string) {
  const nextIfEmpty = `write at least one ${what}`;
  return z
    .array(item)
    .min(1)
    .register(FORMS, { wanted: 'a list', next: `write "- ..." for each ${what}`, nextIfEmpty });
}

export function choice<const T extends readonly string[]>(values: T) {
  const wanted = `one of ${values.join(', ')}`;
  return z.enum(values).register(FORMS, { wanted, next: `write ${wanted}`, choices: values });
}

/** One schema or the other. */
export function either<T extends readonly z.core.SomeType[]>(options: T, wanted: string, next: string) {
  const schema = z.union(options);
  FORMS.add(schema as z.core.$ZodType, { wanted, next });
  return schema;
}

/** Text for which `holds` is true. */
export function text(holds: (value: string) => boolean, wanted: string, next: string) {
  return z.string().refine(holds).register(FORMS, { wanted, next });
}

export function wholeNumber(min: number, max: number, wanted: string) {
  const next = `write a whole number from ${min} to ${max}`;
  return z.int().min(min).max(max).register(FORMS, { wanted, next });
}

export function port() {
  return wholeNumber(0, 65_535, 'a port');
}

/** A duration between two others, both included. `example` is one to show. */
export function duration(min: string, max: string, example: string) {
  const wanted = `a duration between ${min} and ${max}`;
  const next = `write a whole number and ms, s, m, h or d, such as ${example}`;
  const [least = 0, most = 0] = [parseDuration(min), parseDuration(max)];
  return z
    .string()
    .regex(DURATION, { abort: true })
    .refine((value) => isWithin(parseDuration(value), least, most))
    .register(FORMS, { wanted, next });
}

function isWithin(value: number | undefined, min: number, max: number): boolean {
  return value !== undefined && value >= min && value <= max;
}

/** An address with `http://` or `https://`. What exactly is wrong with one is told by `addressFault`. */
export function address(example: string) {
  const detail = (value: string) => addressFault(value, example);
  return z
    .string()
    .refine((value) => detail(value) === undefined)
    .register(FORMS, { wanted: 'an address', next: `write one such as ${example}`, detail });
}

/** A registry as image references name it: Docker takes a first part without dot, colon or `localhost` for an organisation. */
export function registryName() {
  return text(
    (value) => isRegistry(value) && (/[.:]/.test(value) || value === 'localhost'),
    'a registry name',
    'write a lower-case host name with a dot or a port, such as registry.example.com:5000',
  );
}

export function hostName() {
  return text(isRegistry, 'a host name', 'write it in lower case, with a port where clients use one');
}

/** Where an account may be shown, as the host part of a URL has it. */
export function authority(example: string) {
  return text(
    (value) => isRegistry(value) && Number(/:([0-9]+)$/.exec(value)?.[1] ?? '1') <= 65_535,
    'a host',
    `write it in lower case, without https:// and with its port unless it is the default, such as ${example}`,
  );
}

export function file(what: string) {
  return z
    .string()
    .min(1)
    .refine((value) => !value.includes('\0'))
    .register(FORMS, { wanted: 'a path', next: `write the path of ${what}` });
}
