/**
 * Runs mutants in one process: the tests are loaded once, and a mutant is a switch. Through jest each mutant costs the
 * loading of every file again, which makes the run some thirty times as long.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import { DryRunStatus, MutantRunStatus, TestStatus } from '@stryker-mutator/api/test-runner';
import { currentGroup } from './groups.js';

/** What the mutated files look at. */
globalThis.__stryker__ ??= {};
const mutation = globalThis.__stryker__;

/** From the working directory, which is the copy with the mutants; this file is not. */
async function loadSuite() {
  return await import(pathToFileURL('test/mutation/suite.js').href);
}

/** How much of the time that a test only waited counts. */
const WAITING = 0.1;
/** A test that takes so many times what it took in the first run, and so many milliseconds more, never ends. */
const PATIENCE = { times: 30, milliseconds: 4000 };
/** Milliseconds each test cost in the first run, for the processes that come after it. */
const DURATIONS = 'durations.json';

class OneProcessRunner {
  #suite;
  #tests;
  #durations = {};

  capabilities() {
    return { reloadEnvironment: false };
  }

  async dryRun() {
    await this.#load();
    const tests = [];
    for (const test of this.#tests) {
      mutation.currentTestId = test.id;
      const [began, before] = [performance.now(), process.cpuUsage()];
      const failure = await this.#attempt(test);
      const timeSpentMs = performance.now() - began;
      const { user, system } = process.cpuUsage(before);
      tests.push({ ...describeTest(test, failure), timeSpentMs });
      // Mostly the processor's time: which tests are left out must not depend on what else the machine does.
      this.#durations[test.id] = Math.max((user + system) / 1000, WAITING * timeSpentMs);
    }
    writeFileSync(DURATIONS, JSON.stringify(this.#durations));
    mutation.currentTestId = undefined;
    return { status: DryRunStatus.Complete, tests, mutantCoverage: mutation.mutantCoverage };
  }

  async mutantRun({ activeMutant, mutantActivation, testFilter, hitLimit }) {
    const isFirst = this.#tests === undefined;
    if (mutantActivation === 'static') mutation.activeMutant = activeMutant.id;
    try {
      await this.#load();
    } catch (error) {
      return killedBy([], error, 0);
    }
    const tests = this.#choose(testFilter);
    Object.assign(mutation, { activeMutant: activeMutant.id, hitCount: 0, hitLimit });
    let run = 0;
    for (const test of tests) {
      run += 1;
      const failure = await this.#attempt(test);
      // What goes on waiting is in the way of the next mutant: a new process.
      if (failure === HANGS) return { status: MutantRunStatus.Timeout, reason: test.id };
      if (hitLimit !== undefined && mutation.hitCount > hitLimit) return { status: MutantRunStatus.Timeout };
      if (failure === undefined) continue;
      mutation.activeMutant = undefined;
      // What fails without the mutant as well fails for what an earlier run left behind: again, in a new process.
      if (!isFirst && (await this.#attempt(test)) !== undefined)
        throw new Error(`${test.id} cannot be run again`);
      return killedBy([test.id], failure, run);
    }
    mutation.activeMutant = undefined;
    return { status: MutantRunStatus.Survived, nrOfTests: run };
  }

  /** The quickest first, as most mutants are noticed by many tests; those that would take most of the time are left out. */
  #choose(filter) {
    const { longest } = currentGroup();
    const durationOf = ({ id }) => this.#durations[id];
    const asked = filter === undefined ? this.#tests : this.#tests.filter(({ id }) => filter.includes(id));
    return asked
      .filter((test) => durationOf(test) <= longest)
      .toSorted((a, b) => durationOf(a) - durationOf(b));
  }

  async #load() {
    if (existsSync(DURATIONS)) this.#durations = JSON.parse(readFileSync(DURATIONS, 'utf8'));
    this.#suite ??= await loadSuite();
    this.#tests ??= await this.#suite.loadTests();
  }

  /** @returns undefined, what it threw, or HANGS */
  async #attempt(test) {
    const known = this.#durations[test.id];
    const longest = known === undefined ? undefined : PATIENCE.times * known + PATIENCE.milliseconds;
    const run = this.#suite.runTest(test).then(
      () => undefined,
      (error) => error ?? new Error('threw nothing'),
    );
    return await (longest === undefined ? run : orHangs(run, longest));
  }
}

const HANGS = Symbol('hangs');

async function orHangs(run, milliseconds) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds, HANGS);
  });
  return await Promise.race([run, late]).finally(() => clearTimeout(timer));
}

function describeTest({ id }, failure) {
  if (failure === undefined) return { id, name: id, status: TestStatus.Success };
  return { id, name: id, status: TestStatus.Failed, failureMessage: String(failure) };
}

function killedBy(killers, failure, nrOfTests) {
  return { status: MutantRunStatus.Killed, killedBy: killers, failureMessage: String(failure), nrOfTests };
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'one-process', OneProcessRunner)];
