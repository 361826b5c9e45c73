using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Vfio.Lab.Qtest;

/// <summary>QEMU's machine protocol: one JSON object a line.</summary>
internal sealed class QmpClient : IDisposable
{
    private readonly StreamReader _reader;
    private readonly Stream _stream;
    private readonly List<JsonNode> _events = [];
    private readonly TimeSpan _patience;

    private QmpClient(Stream stream, TimeSpan patience)
    {
        _stream = stream;
        _reader = new StreamReader(stream, Encoding.UTF8);
        _patience = patience;
    }

    /// <summary>Connects once QEMU has made the socket, and leaves negotiation mode.</summary>
    public static async Task<QmpClient> ConnectAsync(string path, Process qemu, TimeSpan patience)
    {
        using var timeout = new CancellationTokenSource(patience);
        await FileAppears(path, qemu, timeout.Token);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), timeout.Token);
        var client = new QmpClient(new NetworkStream(socket, ownsSocket: true), patience);
        await client._reader.ReadLineAsync(timeout.Token);
        await client.ExecuteAsync("qmp_capabilities");
        return client;
    }

    /// <summary>Executes a command.</summary>
    /// <exception cref="QmpException">QEMU refused it.</exception>
    public async Task<JsonNode?> ExecuteAsync(string command, JsonObject? arguments = null)
    {
        var request = new JsonObject { ["execute"] = command };
        if (arguments is not null)
            request["arguments"] = arguments;
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(request.ToJsonString() + "\n"));
        while (true)
        {
            var answer = await NextAsync();
            if (answer["return"] is { } value)
                return value;
            if (answer["error"] is { } error)
                throw new QmpException((string?)error["desc"] ?? error.ToJsonString());
            _events.Add(answer);
        }
    }

    /// <summary>Waits for an event.</summary>
    public async Task EventAsync(string name)
    {
        while (!_events.Any(e => (string?)e["event"] == name))
            _events.Add(await NextAsync());
        _events.RemoveAll(e => (string?)e["event"] == name);
    }

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    private async Task<JsonNode> NextAsync()
    {
        using var timeout = new CancellationTokenSource(_patience);
        var line = await _reader.ReadLineAsync(timeout.Token) ?? throw new EndOfStreamException("QEMU closed its monitor");
        return JsonNode.Parse(line) ?? throw new JsonException(line);
    }

    // QEMU's end of the socket appears in the file system when QEMU is ready for it; inotify says so without a second look.
    private static async Task FileAppears(string path, Process qemu, CancellationToken cancellationToken)
    {
        var appeared = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var watcher = new FileSystemWatcher(Path.GetDirectoryName(path)!, Path.GetFileName(path));
        watcher.Created += (_, _) => appeared.TrySetResult();
        watcher.EnableRaisingEvents = true;
        if (File.Exists(path))
            appeared.TrySetResult();
        var ended = qemu.WaitForExitAsync(cancellationToken);
        if (await Task.WhenAny(appeared.Task, ended) == ended)
            throw new InvalidOperationException($"QEMU exited with {(qemu.HasExited ? qemu.ExitCode : -1)}");
    }
}

/// <summary>QEMU refused a command.</summary>
internal sealed class QmpException(string message) : Exception(message);
