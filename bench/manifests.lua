-- wrk script: manifests at random over all repositories, by tag or by digest.
-- Arguments after --: METHOD, file with one path a line, value of Authorization if there is one.
local paths = {}
local method


function init(args)
  method = args[1]
  for line in io.lines(args[2]) do
    paths[#paths + 1] = wrk.format(method, line, {
      ["Host"] = wrk.host,
      ["Accept"] = "application/vnd.oci.image.manifest.v1+json",
      ["Authorization"] = args[3],
    })
  end
  math.randomseed(os.time())
end

function request()
  return paths[math.random(#paths)]
end

function done(summary, latency)
  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %f %f %d\n",
    summary.requests / (summary.duration / 1e6), latency:percentile(99) / 1000, bad))
end
