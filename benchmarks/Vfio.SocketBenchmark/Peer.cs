using System.Diagnostics;

namespace Vfio.SocketBenchmark;

/// <summary>A process pinned to one CPU.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;

    public Peer(int cpu, string file, params string[] arguments)
    {
        var start = new ProcessStartInfo("taskset", ["-c", $"{cpu}", file, .. arguments]) { RedirectStandardOutput = true };
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{file} does not start");
    }

    /// <summary>Processor time so far, the kernel's on its behalf included.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public string ReadLine()
        => _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("a peer has ended before its time");

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }
}
