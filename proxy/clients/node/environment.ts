/** What systemd gives a service: its environment and its arguments. */
import { linesOf } from './lines.ts';
import type { NodeFiles } from './types.ts';

export type Assignment = {
  readonly name: string;
  readonly value: string;
  readonly file: string;
  readonly line: number;
};

export type ServiceFiles = readonly { readonly file: string; readonly text: string }[];

/** From the weakest to the strongest. */
const UNIT_FOLDERS = [
  '/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/run/systemd/system',
  '/etc/systemd/system',
];

/** The unit, its drop-ins in the order systemd reads them, and the environment files they name. */
export function readService(
  files: NodeFiles,
  service: string,
  ...environmentFiles: readonly string[]
): ServiceFiles {
  const read = (file: string) => {
    const text = files.read(file);
    return text === undefined ? [] : [{ file, text }];
  };
  const unit = UNIT_FOLDERS.toReversed().flatMap((folder) => read(`${folder}/${service}.service`));
  // By name, wherever it lies; of two with one name the stronger folder's counts.
  const dropIns = new Map<string, string>();
  for (const folder of UNIT_FOLDERS) {
    for (const name of files.list(`${folder}/${service}.service.d`)) {
      if (name.endsWith('.conf')) dropIns.set(name, `${folder}/${service}.service.d/${name}`);
    }
  }
  const own = [
    ...unit.slice(0, 1),
    ...[...dropIns.keys()].toSorted().flatMap((name) => read(dropIns.get(name) ?? '')),
  ];
  const named = own.flatMap(({ text }) =>
    [...text.matchAll(/^\s*EnvironmentFile=-?(\/\S+)/gm)].map(([, file = '']) => file),
  );
  return [...own, ...[...new Set([...environmentFiles, ...named])].flatMap(read)];
}

/** In the order they are made; a later one replaces an earlier one of the same name. */
export function assignments(service: ServiceFiles): readonly Assignment[] {
  return service.flatMap(({ file, text }) =>
    text.split('\n').flatMap((line, at) => {
      const [, list] = /^\s*Environment=(.*)$/.exec(line) ?? [];
      const [, plain] = /^\s*(?:export\s+)?([A-Za-z_]+=.*)$/.exec(line) ?? [];
      const isUnit = /\.(?:service|conf)$/.test(file);
      const words = list !== undefined ? split(list) : !isUnit && plain !== undefined ? [unquote(plain)] : [];
      return words.map((word) => toAssignment(word, file, at + 1));
    }),
  );
}

function split(list: string): readonly string[] {
  return [...list.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}

function unquote(word: string): string {
  return word.replace(/=(["'])(.*)\1\s*$/, '=$2');
}

function toAssignment(word: string, file: string, line: number): Assignment {
  const equals = word.indexOf('=');
  return { name: word.slice(0, Math.max(equals, 0)), value: word.slice(equals + 1), file, line };
}

/** What a Go program takes: the variable in upper case, else the one in lower case. An empty one is none. */
export function effective(all: readonly Assignment[], name: string): Assignment | undefined {
  const last = (wanted: string) => {
    const found = all.findLast((assignment) => assignment.name === wanted);
    return found === undefined || found.value === '' ? undefined : found;
  };
  return last(name) ?? last(name.toLowerCase());
}

/** Every value an option has on the command lines, with its place. */
export function optionValues(service: ServiceFiles, option: string): readonly Omit<Assignment, 'name'>[] {
  const needle = new RegExp(`${option}[= ]["']?([^\\s"']+)`, 'g');
  return service.flatMap(({ file, text }) =>
    linesOf(text, new RegExp(`${option}[= ]`)).flatMap((line) =>
      [...(text.split('\n')[line - 1] ?? '').matchAll(needle)].map(([, value = '']) => ({
        value,
        file,
        line,
      })),
    ),
  );
}
