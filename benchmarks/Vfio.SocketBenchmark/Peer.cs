using System.Diagnostics;

namespace Vfio.SocketBenchmark;

/// <summary>A process of a measurement, pinned to one CPU.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;

    public Peer(int cpu, string file, params string[] arguments)
        : this("taskset", ["-c", $"{cpu}", file, .. arguments])
    {
    }

    private Peer(string file, string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true };
        _process = Process.Start(start) ?? throw new InvalidOperationException($"{file} does not start");
    }

    /// <summary>A process that may run on every CPU.</summary>
    public static Peer Anywhere(string file, params string[] arguments) => new(file, arguments);

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
