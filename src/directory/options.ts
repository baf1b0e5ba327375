/** The command line options of the directory. */
export interface DirectoryOptions {
  /** A static YAML file instead of Redis. */
  directory?: string;
  /** URL of Redis, see redis/url.ts. */
  redis: string;
  redisPasswordFile?: string;
  redisSentinelUser?: string;
  redisSentinelPasswordFile?: string;
  redisCa?: string;
  redisCert?: string;
  redisKey?: string;
  keyPrefix: string;
}
