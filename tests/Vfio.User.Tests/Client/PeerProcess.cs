using System.Diagnostics;

namespace Vfio.User.Tests.Client;

/// <summary>
/// A server of another project, from the folder that VFIO_PEERS names (libvfio-user's <c>build/samples</c>; VFIO_PEERS_OLD: one of before
/// BARs had to be powers of two; VFIO_PEERS_SHADOW: one built with <c>-Dshadow-ioeventfd=true</c>). Tests of it are skipped where the variable is not set.
/// </summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    public const string Peers = "VFIO_PEERS", OldPeers = "VFIO_PEERS_OLD", ShadowPeers = "VFIO_PEERS_SHADOW";
    private readonly string _directory = Directory.CreateTempSubdirectory("vfio-peer-").FullName;
    private readonly Process _process;

    private PeerProcess(string program, string[] arguments)
    {
        Path = System.IO.Path.Combine(_directory, "s");
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardError = true, RedirectStandardOutput = true, RedirectStandardInput = true,
        };
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.ArgumentList.Add(Path);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Path { get; }

    public List<string> Output { get; } = [];

    public static PeerProcess Start(string variable, string program, params string[] arguments)
    {
        var folder = Environment.GetEnvironmentVariable(variable);
        Assert.SkipWhen(string.IsNullOrEmpty(folder), $"{variable} does not name the folder of the servers");
        var path = System.IO.Path.Combine(folder!, program);
        Assert.True(File.Exists(path), $"{path} is not there");
        return new PeerProcess(path, arguments);
    }

    /// <summary>Opens the server's device, once it listens: another project's program gives no sign of that but to accept.</summary>
    public async Task<VfioUserDevice> OpenAsync(IDmaSpace dma, VfioUserClientOptions? options = null)
    {
        var device = new VfioUserDevice(VfioUserEndpoint.Path(Path), options);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            var opened = await device.OpenAsync(new VfioOpenContext { Dma = dma }, limit.Token);
            if (opened.IsSuccess)
                return device;
            Assert.True(opened.Error is Errno.ENOENT or Errno.ECONNREFUSED, $"{opened.Error}: {string.Join('\n', Output)}");
            Assert.False(_process.HasExited, string.Join('\n', Output));
            limit.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private void Note(string? line)
    {
        lock (Output)
        {
            if (line is not null)
                Output.Add(line);
        }
    }
}
