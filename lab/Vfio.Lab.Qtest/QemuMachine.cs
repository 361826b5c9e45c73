using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Vfio.Lab.Qtest;

/// <summary>
/// A QEMU with the qtest accelerator: no guest runs, and the test plays the processor over QEMU's standard input and output.
/// </summary>
internal sealed class QemuMachine : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private QemuMachine(Process process, QmpClient qmp)
    {
        _process = process;
        Qmp = qmp;
    }

    /// <summary>The monitor.</summary>
    public QmpClient Qmp { get; }

    /// <summary>What QEMU has complained about so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
                return _errors.ToString();
        }
    }

    /// <summary>Starts QEMU by chroot into the lab's root.</summary>
    public static async Task<QemuMachine> StartAsync(Sandbox sandbox, params IEnumerable<string> arguments)
    {
        var qmpPath = sandbox.NewSocket("qmp");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(qmpPath));
        listener.Listen(1);
        var start = new ProcessStartInfo("chroot")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        string[] common =
        [
            sandbox.Root, "qemu-system-x86_64", "-accel", "qtest", "-qtest", "stdio", "-qtest-log", "none", "-display", "none", "-nodefaults",
            "-qmp", $"unix:{sandbox.Inside(qmpPath)}",
        ];
        foreach (var argument in common.Concat(arguments))
            start.ArgumentList.Add(argument);
        var process = Process.Start(start) ?? throw new InvalidOperationException("QEMU did not start");
        QemuMachine? machine = null;
        var early = new StringBuilder();
        process.ErrorDataReceived += (_, line) =>
        {
            var errors = machine?._errors ?? early;
            lock (errors)
                errors.AppendLine(line.Data);
        };
        process.BeginErrorReadLine();
        try
        {
            var qmp = await QmpClient.AcceptAsync(listener, process, Patience);
            machine = new QemuMachine(process, qmp);
            return machine;
        }
        catch (Exception e)
        {
            process.Kill();
            await process.WaitForExitAsync();
            throw new InvalidOperationException($"QEMU ended at start: {early}", e);
        }
    }

    /// <summary>Sends one command of the qtest protocol.</summary>
    /// <returns>What follows the OK of the answer.</returns>
    public async Task<string> CommandAsync(string command)
    {
        await _process.StandardInput.WriteLineAsync(command);
        await _process.StandardInput.FlushAsync();
        using var timeout = new CancellationTokenSource(Patience);
        while (true)
        {
            var line = await _process.StandardOutput.ReadLineAsync(timeout.Token)
                ?? throw new InvalidOperationException($"QEMU ended during '{command}': {Errors}");
            if (line.StartsWith("IRQ", StringComparison.Ordinal))
                continue;
            return line.StartsWith("OK", StringComparison.Ordinal)
                ? line[2..].Trim()
                : throw new InvalidOperationException($"'{command}' was answered with '{line}'");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Qmp.Dispose();
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
