using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.User.Client.Serving;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Client.Calls;

/// <summary>
/// The sockets of one connection and the threads that receive on them. Ends once, for one reason, with everything that waits. Thread-safe.
/// </summary>
internal sealed class Connection : IAsyncDisposable
{
    private readonly Lock _lock = new();
    private readonly ILogger _logger;
    private readonly IDmaSpace? _dma;
    private readonly MessageChannel _main;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<Task> _threads = [];
    private readonly CommandThread _commands;
    private MessageChannel? _twin;
    private VfioException? _failure;
    private bool _isEnding;
    private Task? _disposing;

    public Connection(SafeFileHandle socket, IDmaSpace? dma, string name, ILogger logger)
    {
        Name = name;
        _logger = logger;
        _dma = dma;
        _main = new MessageChannel(socket);
        _main.Receiver.Placement = Calls;
        _commands = new CommandThread(new DmaService(dma, logger, name), _main.Sender, name);

        // Whoever does not ask why it ended is not to hear of it from the finalizer.
        _ = _ended.Task.ContinueWith(static ended => _ = ended.Exception, TaskScheduler.Default);
        StartThread(ReceiveMain, "main");
    }

    public string Name { get; }

    public CallTable Calls { get; } = new();

    public MessageSender Sender => _main.Sender;

    /// <summary>Completes when the connection has ended, and fails with the reason if it was not this side's wish.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Why it has ended, or is ending; null while it has not, or because this side wanted to.</summary>
    public VfioException? Failure
    {
        get
        {
            lock (_lock)
                return _failure;
        }
    }

    /// <summary>Serves the server's commands on a socket of their own as well.</summary>
    public void AddTwin(SafeFileHandle socket)
    {
        lock (_lock)
        {
            _twin = new MessageChannel(socket);
            if (_isEnding)
                _twin.Shutdown();
        }

        StartThread(ReceiveTwin, "twin");
    }

    /// <summary>Ends the connection, if nothing has ended it yet.</summary>
    /// <param name="failure">Why; null: because this side wants to.</param>
    public void End(VfioException? failure)
    {
        lock (_lock)
        {
            if (_isEnding)
                return;
            _isEnding = true;
            _failure = failure;
            _main.Shutdown();
            _twin?.Shutdown();
        }

        if (failure is not null)
            _logger.ConnectionFailed(Name, failure.Message);
        _commands.End();

        // A transfer that the server asked for may be waiting for somebody else, and there is nobody to tell any more.
        _dma?.CancelTransfers();
    }

    public ValueTask DisposeAsync()
    {
        End(null);
        lock (_lock)
            return new(_disposing ??= DisposeOnceAsync());
    }

    private async Task DisposeOnceAsync()
    {
        await Task.WhenAll(_threads).ConfigureAwait(false);
        await _commands.Ended.ConfigureAwait(false);
        await Calls.Idle.ConfigureAwait(false);
        _main.Dispose();
        _twin?.Dispose();
        _commands.Dispose();
    }

    private void StartThread(Action run, string what)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _threads.Add(ended.Task);
        new Thread(() =>
        {
            try
            {
                run();
            }
            catch (Exception fault)
            {
                End(new VfioException(Errno.EIO, $"{Name}: receiving failed: {fault.Message}", fault));
            }

            ended.SetResult();
        })
        {
            IsBackground = true, Name = $"vfio-user:{what}:{Name}",
        }.Start();
    }

    private void ReceiveMain()
    {
        try
        {
            Receive(_main, _commands.TryTake);
        }
        finally
        {
            // Nothing is received any more: the places that calls have given are theirs again.
            Calls.Close(_failure is null ? Errno.ENOTCONN : Errno.ECONNRESET);
            if (_failure is { } failure)
                _ended.TrySetException(failure);
            else
                _ended.TrySetResult();
        }
    }

    private void ReceiveTwin()
    {
        using var service = new DmaService(_dma, _logger, Name);
        var sender = _twin!.Sender;
        Receive(_twin, receiver => service.Answer(receiver.Header, receiver.Body, receiver.Descriptors.Count, sender));
    }

    // Returns when the connection is ending.
    private void Receive(MessageChannel channel, Func<MessageReceiver, bool> take)
    {
        var receiver = channel.Receiver;
        while (true)
        {
            var status = receiver.Receive(null);
            if (status != ReceiveStatus.Message)
            {
                End(FailureOf(status, receiver.Header.MessageSize));
                return;
            }

            var fault = receiver.Header.Type switch
            {
                MessageFlags.Reply when channel == _main => Calls.Complete(receiver),
                MessageFlags.Command => take(receiver) ? null : "cannot be answered any more",
                _ => $"sends a message with flags {(uint)receiver.Header.Flags:x}",
            };
            receiver.CloseDescriptors();
            if (fault is not null)
            {
                End(new VfioException(Errno.EPROTO, $"{Name}: the server {fault}; the connection is given up"));
                return;
            }
        }
    }

    private VfioException FailureOf(ReceiveStatus status, uint size) => status switch
    {
        ReceiveStatus.EndOfStream => new(Errno.ECONNRESET, $"{Name}: the server has closed the connection"),
        ReceiveStatus.Malformed => new(Errno.EPROTO, $"{Name}: the server sends a message of {size} bytes; the connection is given up"),
        _ => new(Errno.EPROTO, $"{Name}: descriptors of the server were lost, or the socket failed; the connection is given up"),
    };
}
