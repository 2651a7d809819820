/// <reference path="./interfaces/tidegate-destination-plugin.d.ts" />
declare module 'tidegate:destination/destination@0.2.0' {
  export * as plugin from 'tidegate:destination/plugin@0.2.0'; // export tidegate:destination/plugin@0.2.0
}
