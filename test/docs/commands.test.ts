/** Every command in the documentation could be typed: its script, verb, options, values and files exist. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createFolder, removeFolders, write } from '../config/scratch.ts';
import { codeSpans, type Document, MANUALS, OTHERS, ROOT, readDocument } from './markdown.ts';

const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
);
/** What npm does without a script of ours. */
const NPM_OWN: readonly string[] = ['ci', 'install'];
/** Scripts that hand their options on to a command of the program. */
const HANDED_ON = new Map([
  ['demo', 'demo'],
  ['dev', 'serve'],
  ['start', 'serve'],
]);
/** Programs of others; a word that is in no list is a slip. */
const OTHER_PROGRAMS: readonly string[] = ['docker', 'git', 'jq', 'sort', 'uniq'];

afterAll(removeFolders);

type Command = { readonly at: string; readonly words: readonly string[] };

const split = (text: string): readonly string[] =>
  [...text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/^(["'])(.*)\1$/, '$2'));

/** The simple commands of a line: comments, prompts, assignments and the fields of cron apart. */
function commandsOf(line: string): readonly (readonly string[])[] {
  const bare = line
    .replace(/^(?:[*/\d]+ ){5}root /, '')
    .replace(/^[$#] /, '')
    .replace(/\s+#\s.*$/, '');
  return bare.split(/ (?:&&|\|) (?=(?:[^']*'[^']*')*[^']*$)/).map((part) => {
    const words = split(part);
    return words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word)));
  });
}

function shownIn(document: Document): readonly Command[] {
  const { file, blocks } = document;
  const inBlocks = blocks.flatMap(({ info, text, line }) => {
    const joined = text.replace(/\\\n\s*/g, '').split('\n');
    // Without a language it is a session: what was typed stands behind a prompt.
    const typed =
      info === 'sh' || info === 'cron'
        ? joined
        : info === ''
          ? joined.filter((all) => /^[$#] /.test(all))
          : [];
    return typed
      .filter((all) => all.trim() !== '' && (info === '' || !all.startsWith('#')))
      .flatMap((all) => commandsOf(all).map((words) => ({ at: `${file}:${line}`, words })));
  });
  const inSpans = codeSpans(document)
    .filter((code) =>
      /^(?:[A-Z_]+=\S+ )*(?:npm (?:run |test|start|ci|install)|pullwarden |node dist)/.test(code),
    )
    .flatMap((code) => commandsOf(code).map((words) => ({ at: `${file}, ${code}`, words })));
  return [...inBlocks, ...inSpans];
}

type Help = {
  readonly verbs: readonly string[];
  /** By name, with what is said of it. */
  readonly options: ReadonlyMap<string, { readonly takesValue: boolean; readonly says: string }>;
  readonly positional: { readonly least: number; readonly most: number };
  /** What is said of the first one. */
  readonly argument: string;
};

const helps = new Map<string, Help>();

/** What the program itself says of a command. */
function helpOf(...verbs: readonly string[]): Help {
  const key = verbs.join(' ');
  const known = helps.get(key);
  if (known !== undefined) return known;
  const text = execFileSync(process.execPath, [join(ROOT, 'dist/main.js'), ...verbs, '--help'], {
    encoding: 'utf8',
  });
  const section = (name: string) =>
    new RegExp(`^${name}:\\n((?:  .*\\n)*)`, 'm').exec(text)?.[1]?.replace(/\n {3,}/g, ' ') ?? '';
  const positional = [
    ...(/^Usage: (.*)$/m.exec(text)?.[1] ?? '').matchAll(/[<[](\w+)(\.\.\.)?[>\]]/g),
  ].filter(([all]) => all !== '[options]' && all !== '[command]');
  const help: Help = {
    verbs: [...section('Commands').matchAll(/^ {2}(\w+)/gm)].map(([, verb = '']) => verb),
    options: new Map(
      [...section('Options').matchAll(/^ {2}(?:-\w, )?--([\w-]+)( <\w+>)? *(.*)$/gm)].map(
        ([, name = '', value, says = '']) => [name, { takesValue: value !== undefined, says }],
      ),
    ),
    positional: {
      least: positional.filter(([all]) => all.startsWith('<')).length,
      most: positional.some(([, , more]) => more !== undefined)
        ? Number.POSITIVE_INFINITY
        : positional.length,
    },
    argument: /^ {2}\w+ +(.*)$/m.exec(section('Arguments'))?.[1] ?? '',
  };
  helps.set(key, help);
  return help;
}

/** A value out of a list such as `docker | ctr | podman`; what is in capitals stands for one. */
function isOneOf(says: string, value: string): boolean {
  return !says.includes(' | ') || /^[A-Z]+$/.test(value) || says.split(/[\s:;|]+/).includes(value);
}

function verbFault(words: readonly string[]): string | undefined {
  const verbs: string[] = [];
  let rest = [...words];
  while (rest[0] !== undefined && helpOf(...verbs).verbs.includes(rest[0])) verbs.push(...rest.splice(0, 1));
  if (verbs.length === 0 && rest[0] !== 'COMMAND') return `there is no command ${words[0] ?? ''}`;
  const help = helpOf(...verbs);
  const positional: string[] = [];
  while (rest.length > 0) {
    const [word = ''] = rest.splice(0, 1);
    if (word === '--') {
      positional.push(...rest);
      rest = [];
    } else if (word.startsWith('--')) {
      const option = help.options.get(word.slice(2));
      if (option === undefined) return `${verbs.join(' ')} has no option ${word}`;
      if (!option.takesValue) continue;
      const [value] = rest.splice(0, 1);
      if (value === undefined) return `${word} takes a value`;
      if (!isOneOf(option.says, value)) return `${value} is no value of ${word}`;
    } else positional.push(word);
  }
  if (verbs.length === 0) return undefined;
  // A verb that is only named, as in "`pullwarden doctor` reads …", needs none of what it takes.
  const { least, most } = help.positional;
  if (positional.length > most) return `${verbs.join(' ')} takes no ${positional.at(-1)}`;
  if (words.length > verbs.length && positional.length < least) return `${verbs.join(' ')} takes more`;
  const [first] = positional;
  return first === undefined || isOneOf(help.argument, first) ? undefined : `${first} is not in its list`;
}

function npmFault([verb = '', ...rest]: readonly string[]): string | undefined {
  const isRun = verb === 'run';
  const words = isRun ? rest.filter((word) => !/^(?:-s|--silent)$/.test(word)) : [verb, ...rest];
  const [script = '', ...options] = words;
  if (!isRun && NPM_OWN.includes(script)) return undefined;
  if (scripts[script] === undefined) return `package.json has no script ${script}`;
  const handed = options[0] === '--' ? options.slice(1) : options;
  if (options.length > 0 && options[0] !== '--')
    return `npm keeps ${options[0]} for itself; write -- before it`;
  const command = HANDED_ON.get(script);
  if (command !== undefined) return verbFault([command, ...handed]);
  const missing = handed.find((word) => /^(?:test|proxy)\//.test(word) && !existsSync(join(ROOT, word)));
  return missing === undefined ? undefined : `there is no ${missing}`;
}

function faultOf(words: readonly string[]): string | undefined {
  const [program = '', ...rest] = words;
  if (program === 'npm') return npmFault(rest);
  if (program === 'pullwarden') return verbFault(rest);
  if (program === 'node') {
    const script = rest.findIndex((word) => !word.startsWith('-'));
    const [file = '', ...more] = rest.slice(script);
    if (file === 'dist/main.js') return more.length === 0 ? undefined : verbFault(more);
    return existsSync(join(ROOT, file)) ? undefined : `there is no ${file}`;
  }
  if (program === 'npx') return rest.includes('biome') ? undefined : `npx ${rest[0]} is not installed`;
  return OTHER_PROGRAMS.includes(program) || existsSync(join(ROOT, program))
    ? undefined
    : `${program}: which program is that?`;
}

describe.each([...MANUALS, ...OTHERS.filter((file) => file.includes('README'))])('%s', (file) => {
  test('its commands could be typed', () => {
    const faults = shownIn(readDocument(file)).flatMap(({ at, words }) => {
      const fault = faultOf(words);
      return fault === undefined ? [] : [`${at}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });
});

test('the README shows how to install, try, configure, roll out, lock and prove it', () => {
  const shown = shownIn(readDocument('README.md')).map(({ words }) => words.slice(0, 2).join(' '));
  for (const command of [
    'npm ci',
    'pullwarden check',
    'pullwarden pin',
    'pullwarden serve',
    'pullwarden clients',
  ])
    expect(shown).toContain(command);
  for (const command of ['pullwarden doctor', 'pullwarden canary']) expect(shown).toContain(command);
});

describe('commands that need no server run as they are shown, with the configuration of the README', () => {
  const [configuration] = readDocument('README.md').blocks.filter(({ info }) => info === 'yaml');
  const runnable = MANUALS.flatMap((file) => shownIn(readDocument(file)))
    .map(({ words }) => words)
    .filter(([program, verb, ...rest]) => {
      if (program !== 'pullwarden' || (verb === 'clients' && !rest.includes('--proxy'))) return false;
      return /^(?:check|clients|schema)$/.test(verb ?? '') && !/\b[A-Z]+$/.test(rest.at(-1) ?? '');
    })
    .map((words) => words.slice(1));

  test.each([...new Set(runnable.map((words) => words.join(' ')))])('pullwarden %s', (line) => {
    const cwd = createFolder();
    write(cwd, 'pullwarden.yaml', configuration?.text ?? '');
    const words = line.split(' ').map((word) => (word.startsWith('/etc/') ? 'pullwarden.yaml' : word));
    execFileSync(process.execPath, [join(ROOT, 'dist/main.js'), ...words], { cwd, stdio: 'pipe' });
  });
});

describe('a slip is noticed', () => {
  test.each([
    ['npm run prepared', 'package.json has no script prepared'],
    ['npm run jest -- test/nowhere.test.ts', 'there is no test/nowhere.test.ts'],
    ['npm run demo --once', 'npm keeps --once for itself; write -- before it'],
    ['npm run demo -- --twice', 'demo has no option --twice'],
    ['pullwarden verify', 'there is no command verify'],
    ['pullwarden pin a/b --expected ID', 'pin has no option --expected'],
    ['pullwarden pin a/b --expect', '--expect takes a value'],
    ['pullwarden trust reset --reason TEXT', 'trust reset takes more'],
    ['pullwarden serve now', 'serve takes no now'],
    ['pullwarden clients docker', 'docker is not in its list'],
    ['pullwarden canary --client docker-daemon', 'docker-daemon is no value of --client'],
    ['pulwarden check', 'pulwarden: which program is that?'],
  ])('%s', (line, fault) => {
    expect(commandsOf(line).map(faultOf)).toEqual([fault]);
  });
});
