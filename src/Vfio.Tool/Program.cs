using System.Runtime.InteropServices;
using Vfio.Tool;

// Both signals ask for the same: end in order. What that means is each command's to say. The second one does what it does to any process:
// something hangs.
var signals = 0;
using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
return await VfioCommand.RunAsync(
    args, Console.Out, Console.Error, isTerminal: !Console.IsOutputRedirected, stop.Token).ConfigureAwait(false);

void Stop(PosixSignalContext context)
{
    if (Interlocked.Increment(ref signals) > 1)
        return;
    context.Cancel = true;
    stop.Cancel();
}
