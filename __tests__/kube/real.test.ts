import { describe, test } from '@jest/globals';
import { apiSuite } from './api.suite.js';

const assets = process.env.KUBEBUILDER_ASSETS ?? '';

describe('a real kube-apiserver', () => {
  if (assets === '') {
    console.warn('SKIPPED: KUBEBUILDER_ASSETS is not set, so nothing was tried on a real kube-apiserver');
    test.todo('set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver');
  } else {
    apiSuite(true);
  }
});
