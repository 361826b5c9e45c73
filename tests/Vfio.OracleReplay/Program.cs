using Vfio.OracleReplay;

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
// A recording has tens of thousands of rows, and --verbose a line for each.
var output = new StreamWriter(Console.OpenStandardOutput(), bufferSize: 1 << 16);
await using (output.ConfigureAwait(false))
    return await ReplayCommand.RunAsync(args, output, Console.Error, stop.Token).ConfigureAwait(false);
