export default {
  testEnvironment: 'node',
  // One for each core: much of the time goes into waiting for other programs.
  maxWorkers: '100%',
  // In milliseconds. Ends a test that hangs; no test may fail because the machine is slow.
  testTimeout: 60_000,
  reporters: ['default', '<rootDir>/test/closing-line.js'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  collectCoverageFrom: ['proxy/trust-client/**/*.ts', 'proxy/policy/**/*.ts'],
  coverageReporters: ['text-summary'],
  coverageThreshold: { global: { lines: 95, branches: 95 } },
};
