using Microsoft.Extensions.Logging;
using Vfio.Simulation.Driving;
using Vfio.Simulation.Nvme.Admin;
using Vfio.Simulation.Nvme.Io;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Queues;
using Vfio.Simulation.Nvme.Storage;
using Vfio.Simulation.Nvme.Transfer;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>What a controller is built into.</summary>
internal sealed record ControllerParts
{
    public required NvmeSubsystem Subsystem { get; init; }

    public required ushort Id { get; init; }

    public required bool IsPrimary { get; init; }

    public required BarLayout Layout { get; init; }

    public required FunctionDma Dma { get; init; }

    public required FunctionInterrupts Interrupts { get; init; }

    /// <summary>The most I/O queue pairs that it can ever be given.</summary>
    public required int MaxQueuePairs { get; init; }

    public required bool MappedDoorbells { get; init; }

    public required ILogger Logger { get; init; }
}

/// <summary>
/// An NVMe controller: a state machine that its driver turns by <see cref="Poll"/>. Registers and doorbells may be accessed from any
/// thread; they only note what is wanted. Everything else happens inside <see cref="Poll"/>.
/// </summary>
internal sealed class NvmeController : IFunctionDevice, ICrank
{
    private readonly ControllerParts _parts;
    private readonly ControllerRegisters _registers;
    private readonly DoorbellMemory _doorbells;
    private readonly RegisterWindow _window;
    private readonly CompletionPath _completions;
    private readonly CommandLoop _loop;
    private readonly CrankRequests _requests = new();
    private bool _running;

    internal NvmeController(ControllerParts parts)
    {
        _parts = parts;
        parts.Dma.Resumed = Wake;
        parts.Interrupts.Switched = Wake;
        _registers = new();
        _doorbells = new(parts.MappedDoorbells);
        _window = new(_registers, _doorbells, parts.Layout, parts.Interrupts);
        QueuePairs = parts.MaxQueuePairs;
        Queues = new(_doorbells, new(parts.Dma), parts.MaxQueuePairs) { Fault = OnDoorbellFault };
        _completions = new(parts.Dma, parts.Interrupts, Queues, () => FailForHost("a completion queue cannot be written"));
        Events = new((id, result) => Queues.Submission(0) is { } admin && _completions.TryComplete(admin, id, result));
        Features = new(this);
        var transfer = new PrpTransfer(parts.Dma);
        Io = new(transfer, Health, Namespaces);
        Admin = new(this);
        _loop = new(this, parts.Dma, transfer, _completions);
    }

    internal ushort Id => _parts.Id;

    internal bool IsPrimary => _parts.IsPrimary;

    internal NvmeSubsystem Subsystem => _parts.Subsystem;

    internal FunctionInterrupts Interrupts => _parts.Interrupts;

    internal FunctionDma Dma => _parts.Dma;

    internal QueueSet Queues { get; }

    internal NamespaceTable Namespaces { get; } = new();

    internal HealthInformation Health { get; } = new();

    internal ErrorLog Errors { get; } = new();

    internal Features Features { get; }

    internal AsyncEvents Events { get; }

    internal AdminCommands Admin { get; }

    internal IoCommands Io { get; }

    /// <summary>Namespaces that changed since the host last read of it.</summary>
    internal SortedSet<uint> ChangedNamespaces { get; } = [];

    /// <summary>The most I/O queue pairs that it can ever be given.</summary>
    internal int MaxQueuePairs => _parts.MaxQueuePairs;

    /// <summary>The I/O queue pairs that it has; changes only while it is offline or being reset.</summary>
    internal int QueuePairs { get; set; }

    /// <summary>Logarithm of the memory page size.</summary>
    internal int PageShift => Register.CcPageShift(_registers.Cc);

    /// <summary>Wakes whoever turns the crank.</summary>
    public Action WakeDriver { get; set; } = static () => { };

    public ulong ReadRegister(int bar, ulong offset, int width) => _window.Read((int)offset, width);

    public void WriteRegister(int bar, ulong offset, int width, ulong value)
    {
        _window.Write((int)offset, width, value);
        WakeDriver();
    }

    public RegionMapping? Mapping(int bar) => bar == BarLayout.Index ? _doorbells.Mapping : null;

    public void Wake() => WakeDriver();

    public Task RestAsync() => PostAsync(static () => { });

    public Task ResetAsync() => PostAsync(() => Reset(bySubsystem: false));

    /// <summary>Runs something on the controller's thread, between two of its steps.</summary>
    internal Task PostAsync(Action action)
    {
        var done = _requests.Add(action);
        WakeDriver();
        return done;
    }

    /// <summary>Does whatever there is to do, without waiting for anything but its own transfers.</summary>
    /// <returns>Whether there was anything.</returns>
    public bool Poll()
    {
        var worked = _requests.Run();
        worked |= ApplyRegisters();
        if (!_running || !Dma.IsEnabled)
        {
            // Nothing more is about to come, and in poll mode nobody asks before a sleep.
            _completions.Announce(now: true);
            return worked;
        }

        Queues.LookForStrays();
        worked |= _completions.Retry() | _completions.FinishDeferred();
        foreach (var queue in Queues.Active)
            worked |= _running && _loop.Serve(queue);
        // Last, because looking at the doorbells is what raises some events.
        worked |= _running && Events.Deliver();
        _completions.Announce();
        UpdatePin();
        return worked;
    }

    /// <summary>Before the driver sleeps.</summary>
    /// <returns>Whether it may: nothing came in the meantime.</returns>
    public bool Arm()
    {
        _completions.Announce(now: true);
        return !_running || !Dma.IsEnabled || Queues.Arm();
    }

    /// <summary>The driver has stopped turning: what was posted is done with, and what will be is done at once.</summary>
    public void Stopped() => _requests.Stop();

    /// <summary>Something went wrong that is not the host's doing: the controller stops, and says so.</summary>
    public void Fault(Exception exception)
    {
        _parts.Logger.LogError(exception, "Controller {Id} of {Nqn} failed", Id, Subsystem.Nqn);
        Fail();
    }

    /// <summary>The host has set the controller up so that it cannot go on: CSTS.CFS, until a reset.</summary>
    internal void FailForHost(string reason)
    {
        if (_parts.Logger.IsEnabled(LogLevel.Debug))
            _parts.Logger.LogDebug("Controller {Id} of {Nqn} is stuck: {Reason}", Id, Subsystem.Nqn, reason);
        Fail();
    }

    /// <summary>A namespace was attached, detached or changed.</summary>
    internal void NoticeNamespace(uint nsid)
    {
        ChangedNamespaces.Add(nsid);
        if (Features.NotifiesNamespaces)
            Events.Raise(AsyncEventType.Notice, AsyncEventInfo.NamespaceAttribute, LogPage.ChangedNamespaces);
    }

    /// <summary>Goes offline or comes back, on the controller's thread: a controller level reset either way.</summary>
    internal void SetOnline(bool online)
    {
        _registers.SetOffline(!online);
        Reset(bySubsystem: false);
    }

    /// <summary>Shows CSTS.CFS at once, before the controller's thread has come to know that it is offline.</summary>
    internal void ShowOffline() => _registers.SetOffline(true);

    /// <summary>A controller level reset, but for one by CC.EN.</summary>
    internal void Reset(bool bySubsystem)
    {
        ResetQueues();
        _registers.ResetAll(bySubsystem);
    }

    private bool ApplyRegisters()
    {
        var requests = _registers.TakeRequests();
        if (requests == RegisterRequest.None)
            return false;
        if ((requests & RegisterRequest.SubsystemReset) != 0)
        {
            // On the primary's thread, which may be another than this.
            _ = Subsystem.ResetAsync();
            return true;
        }

        if ((requests & RegisterRequest.Disable) != 0)
        {
            ResetQueues();
            _registers.ResetController();
        }

        if ((requests & RegisterRequest.Enable) != 0 && (_registers.Cc & Register.CcEnable) != 0)
            Start();
        if ((requests & RegisterRequest.Shutdown) != 0 && Register.CcShutdown(_registers.Cc) != 0)
            ShutDown();
        return true;
    }

    private void Start()
    {
        var cc = _registers.Cc;
        var submission = (int)(_registers.Aqa & 0xFFF) + 1;
        var completion = (int)((_registers.Aqa >> 16) & 0xFFF) + 1;
        var pageMask = (1ul << Register.CcPageShift(cc)) - 1;
        if (Register.CcCommandSet(cc) != 0 || Register.CcArbitration(cc) != 0 || Register.CcPageShift(cc) > ControllerLimits.MaxPageShift
            || submission < 2 || completion < 2 || ((_registers.Asq | _registers.Acq) & pageMask) != 0)
        {
            FailForHost($"it was enabled with CC {cc:x}, AQA {_registers.Aqa:x}, ASQ {_registers.Asq:x}, ACQ {_registers.Acq:x}");
            return;
        }

        var queue = new CompletionQueue { Id = 0, Base = _registers.Acq, Size = completion, Vector = 0 };
        Queues.Add(queue);
        Queues.Add(new SubmissionQueue { Id = 0, Base = _registers.Asq, Size = submission, Completion = queue });
        _running = true;
        _registers.SetStatus(Register.CstsReady);
    }

    private void ShutDown()
    {
        // A flush that fails has no one to be reported to; the media error is counted.
        _ = Io.FlushAll();
        if (IsPrimary)
            _ = Subsystem.TakeAllOfflineAsync();
        _registers.SetShutdownComplete();
    }

    private void ResetQueues()
    {
        _running = false;
        Queues.Clear();
        _completions.Clear();
        Events.Reset();
        Features.Reset();
        ChangedNamespaces.Clear();
        Interrupts.SetPin(false);
        if (!IsPrimary)
            return;
        _ = Subsystem.TakeAllOfflineAsync();
        Subsystem.ApplyPrimaryResources();
    }

    private void Fail()
    {
        _running = false;
        _registers.SetStatus(Register.CstsFatal);
    }

    private void OnDoorbellFault(DoorbellFault fault)
    {
        const ushort NoCommand = 0xFFFF;
        Errors.Add(NoCommand, NoCommand, NvmeStatus.Success, 0);
        Events.Raise(AsyncEventType.Error, (byte)fault, LogPage.ErrorInformation);
    }

    private void UpdatePin()
    {
        if (!Interrupts.HasPin)
            return;
        Interrupts.SetPin(!Interrupts.MsixEnabled && Queues.AnyUnmaskedEntry(_registers.Masked));
    }
}
