package config

// fallbackMemoryMiB is assumed where the machine's memory cannot be asked for.
const fallbackMemoryMiB = 8 << 10
