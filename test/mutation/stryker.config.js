/** One group of `npm run test:mutation`: does a test notice when a line of it is changed? */
import { currentGroup } from './groups.js';

const { mutate, least } = currentGroup();

export default {
  mutate,
  testRunner: 'one-process',
  testRunnerNodeArgs: ['--import', './test/mutation/load.js', '--disable-warning=ExperimentalWarning'],
  plugins: ['./test/mutation/runner.js', './test/mutation/sentences.js'],
  ignorers: ['sentences'],
  coverageAnalysis: 'perTest',
  concurrency: 2,
  timeoutMS: 10_000,
  ignorePatterns: ['/.build', '/dist', '/test/fuzz/corpus'],
  tempDirName: '.build/mutation',
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: '.build/mutation.json' },
  allowConsoleColors: false,
  thresholds: { high: 95, low: 90, break: least },
};
