/** Whether the program runs in a virtual machine (sandbox/vm.ts). */
const inMachine = process.env.SANDBOX_GUEST !== undefined;

export default {
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  // Not .cache: images are built there, with package.json files of their own.
  roots: ['<rootDir>/__tests__', '<rootDir>/bin', '<rootDir>/lib', '<rootDir>/sandbox'],
  testPathIgnorePatterns: ['/node_modules/', ...(inMachine ? [] : ['/__tests__/kernel/'])],
  testEnvironment: inMachine ? '<rootDir>/jest.slow-machine.mjs' : 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' } },
    ],
  },
  // TypeScript's ESM imports name the emitted file: './x.js' is './x.ts' here.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // Milliseconds. It ends what hangs, and only that: a slow or busy machine is no failure.
  testTimeout: 600_000,
};
