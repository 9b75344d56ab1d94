/**
 * The forms of values the configuration is made of. Each carries what a person is told when it does not hold, as
 * `what it should be; next step`: schema-findings.ts turns that into `"x" is not <what it should be>; <next step>`.
 */
import * as z from 'zod';
import { isRegistry } from '../names/reference.ts';
import { addressFault } from './address.ts';
import { DURATION, parseDuration } from './duration.ts';

/**
 * A mapping with these keys and no others. For an unknown key the message is the list of known ones.
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
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? known : `a mapping; ${next}`),
  });
}

/** As zod sees it: neither optional nor with a default. */
function isRequired(shape: z.core.$ZodShape): (key: string) => boolean {
  return (key) => shape[key]?._zod.optin === undefined;
}

export function list<T extends z.core.SomeType>(item: T, what: string) {
  return z.array(item, { error: `a list; write "- ..." for each ${what}` });
}

export function choice<const T extends readonly string[]>(values: T) {
  return z.enum(values, { error: `one of ${values.join(', ')}; write one of these` });
}

/** Text for which `holds` is true. */
export function text(holds: (value: string) => boolean, message: string) {
  return z.string({ error: message }).refine(holds, { error: message });
}

export function wholeNumber(min: number, max: number, what: string) {
  const error = `${what}; write a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

export function port() {
  return wholeNumber(0, 65_535, 'a port');
}

/** A length of time between two others, both included. `example` is one to show. */
export function duration(min: string, max: string, example: string) {
  const error = `a length of time from ${min} to ${max}; write a whole number and ms, s, m, h or d, such as ${example}`;
  const [least = 0, most = 0] = [parseDuration(min), parseDuration(max)];
  return z
    .string({ error })
    .regex(DURATION, { error, abort: true })
    .refine((value) => isWithin(parseDuration(value), least, most), { error });
}

function isWithin(value: number | undefined, min: number, max: number): boolean {
  return value !== undefined && value >= min && value <= max;
}

/** An address with `http://` or `https://`. What exactly is wrong with one is told by `addressFault`. */
export function address(example: string) {
  return z.string({ error: `an address; write one such as ${example}` }).check(({ value, issues }) => {
    const fault = addressFault(value, example);
    if (fault !== undefined) issues.push({ code: 'custom', message: fault, input: value, continue: false });
  });
}

/** A registry as image references name it: Docker takes a first part without dot, colon or `localhost` for an organisation. */
export function registryName() {
  return text(
    (value) => isRegistry(value) && (/[.:]/.test(value) || value === 'localhost'),
    'a registry name; write a host name in lower case with a dot or a port, such as registry.example.com:5000',
  );
}

export function hostName() {
  return text(isRegistry, 'a host name; write it in lower case, with a port where clients use one');
}

/** Where an account may be shown, as the host part of a URL has it. */
export function authority(example: string) {
  return text(
    (value) => isRegistry(value) && Number(/:([0-9]+)$/.exec(value)?.[1] ?? '1') <= 65_535,
    `a host; write it in lower case, without https:// and with its port unless that is the usual one, such as ${example}`,
  );
}

export function file(what: string) {
  return z
    .string({ error: `a path; write the path of ${what}` })
    .min(1, { error: `a path; write the path of ${what}` })
    .refine((value) => !value.includes('\0'), { error: `a path; write the path of ${what}` });
}
