using System.Diagnostics;

namespace Vfio.WireVectors.Running;

/// <summary>A server that somebody else has started, for one set-up.</summary>
internal sealed class ListeningServer(string path, string setup) : IServers, IServedSetup
{
    public string SocketPath => path;

    public string? Trouble => null;

    public ValueTask<IServedSetup?> StartAsync(string wanted, CancellationToken cancellationToken)
        => ValueTask.FromResult<IServedSetup?>(wanted == setup ? this : null);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}

/// <summary>Starts a server for each set-up by a command, in which {setup} and {socket} stand for the two.</summary>
internal sealed class CommandServers(string command) : IServers
{
    public ValueTask<IServedSetup?> StartAsync(string setup, CancellationToken cancellationToken)
        => ValueTask.FromResult<IServedSetup?>(new ServerProcess(command, setup));
}

/// <summary>A server in a process of its own, and in a directory that goes with it.</summary>
internal sealed class ServerProcess : IServedSetup
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vectors-");
    private readonly Process _process;

    public ServerProcess(string command, string setup)
    {
        SocketPath = Path.Combine(_directory.FullName, "socket");
        var line = command.Replace("{setup}", setup, StringComparison.Ordinal).Replace("{socket}", SocketPath, StringComparison.Ordinal);
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true };
        start.ArgumentList.Add("-c");

        // Without a shell in between, ending the process ends the server.
        start.ArgumentList.Add($"exec {line}");
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
    }

    public string SocketPath { get; }

    public string? Trouble => _process.HasExited ? $"the server has ended with {_process.ExitCode}" : null;

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
        _directory.Delete(recursive: true);
    }
}
