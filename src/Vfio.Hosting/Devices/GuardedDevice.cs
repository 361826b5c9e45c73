using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;
using Vfio.Core;

namespace Vfio.Hosting.Devices;

/// <summary>
/// A driver's device, behind a guard: what its code throws, or answers against the contract, becomes EIO and marks the device broken, and
/// nothing else is
/// touched. A broken device answers EIO to everything; closing it still quiesces the function. The hot path costs one look at a field.
/// </summary>
/// <remarks>
/// The one thing that no guard in the same process can mend is code that never returns from a synchronous call: it costs the thread of the
/// front end
/// that made the call, which is its own device's.
/// </remarks>
internal sealed partial class GuardedDevice : VfioDevice
{
    private readonly VfioDevice _inner;
    private readonly IVfioPciCore? _core;
    private readonly string _driver;
    private readonly TimeSpan _limit;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly GuardedMigration? _migration;
    private readonly DmaLoggingService _dmaLogging;
    private readonly GuardedProfiles? _profiles;
    private volatile string? _fault;

    /// <param name="inner">The driver's device.</param>
    /// <param name="core">What quiesces the function when the driver does not; null for a device without one.</param>
    /// <param name="driver">The driver's name, for the reason.</param>
    /// <param name="limit">How long it may take to open, reset or close.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Where a fault is logged.</param>
    public GuardedDevice(VfioDevice inner, IVfioPciCore? core, string driver, TimeSpan limit, TimeProvider time, ILogger logger)
    {
        _inner = inner;
        _core = core;
        _driver = driver;
        _limit = limit;
        _time = time;
        _logger = logger;
        _migration = Capability(static d => d.Migration, nameof(Migration)) is { } migration ? new(this, migration) : null;
        IsDmaMediated = Capability(static d => (object)d.IsDmaMediated, nameof(IsDmaMediated)) is true;
        var logging = Capability(static d => d.DmaLogging, nameof(DmaLogging));
        _dmaLogging = new(logging is null ? null : new GuardedDmaLogging(this, logging), IsDmaMediated);
        _profiles = Capability(static d => d.Profiles, nameof(Profiles)) is { } profiles ? new(this, profiles) : null;
        _service = ServeMigration();
    }

    /// <summary>Why the device is broken; null if it is not.</summary>
    public string? Fault => _fault;

    public override IMigration? Migration => _migration;

    /// <summary>The driver's log or the DMA space's, behind the core's checks.</summary>
    public override IDmaLogging? DmaLogging => _dmaLogging.IsPresent ? _dmaLogging : null;

    public override bool IsDmaMediated { get; }

    public override IProfiles? Profiles => _profiles;

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.Read(region, offset, destination);
            return (uint)result.Value <= (uint)destination.Length ? result : Lied(nameof(Read), result.Value, destination.Length);
        }
        catch (Exception e)
        {
            return Threw(nameof(Read), e);
        }
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.Write(region, offset, source);
            return (uint)result.Value <= (uint)source.Length ? result : Lied(nameof(Write), result.Value, source.Length);
        }
        catch (Exception e)
        {
            return Threw(nameof(Write), e);
        }
    }

    public override VfioResult<int> Feature(in FeatureRequest request, ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.Feature(request, input, output);
            return (uint)result.Value <= (uint)output.Length ? result : Lied(nameof(Feature), result.Value, output.Length);
        }
        catch (Exception e)
        {
            return Threw(nameof(Feature), e);
        }
    }

    public override VfioResult SetIoEventFd(int region, ulong offset, int width, ulong data, SafeFileHandle? eventFd)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            return _inner.SetIoEventFd(region, offset, width, data, eventFd);
        }
        catch (Exception e)
        {
            return Threw(nameof(SetIoEventFd), e);
        }
    }

    public override VfioResult<int> SetIrqs(in IrqSet set)
    {
        if (_fault is null)
        {
            try
            {
                var result = _inner.SetIrqs(set);
                if (result.Value >= 0)
                    return result;
                Break($"{nameof(SetIrqs)} answered {result.Value}, which is no number of vectors");
            }
            catch (Exception e)
            {
                Threw(nameof(SetIrqs), e);
            }
        }

        // The device owns the descriptors whatever it answers; one that failed has dropped them.
        set.DisposeEventFds();
        return Errno.EIO;
    }

    public override IEnumerable<KeyValuePair<string, string>> Describe()
    {
        var rows = new List<KeyValuePair<string, string>>();
        if (_fault is null)
        {
            try
            {
                rows.AddRange(_inner.Describe());
            }
            catch (Exception e)
            {
                Threw(nameof(Describe), e);
            }
        }

        if (_fault is { } fault)
            rows.Add(new("broken", fault));
        return rows;
    }

    /// <summary>Marks the device broken. The first reason stays.</summary>
    internal Errno Break(string what)
    {
        var fault = $"driver {_driver}: {what}";
        if (Interlocked.CompareExchange(ref _fault, fault, null) is null)
            LogBroken(fault);
        return Errno.EIO;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal Errno Threw(string member, Exception e)
    {
        LogThrown(e, _driver, member);
        return Break($"{member} threw {e.GetType().Name}: {FirstLine(e.Message)}");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private Errno Lied(string member, int answered, int length) => Break($"{member} of {length} bytes answered {answered}");

    internal static string FirstLine(string text)
    {
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        return end < 0 ? text : text[..end];
    }

    private T? Capability<T>(Func<VfioDevice, T?> get, string member)
        where T : class
    {
        try
        {
            return get(_inner);
        }
        catch (Exception e)
        {
            Threw(member, e);
            return null;
        }
    }

    [LoggerMessage(3001, LogLevel.Error, "Device broken: {Fault}")]
    private partial void LogBroken(string fault);

    [LoggerMessage(3002, LogLevel.Debug, "{Driver} threw from {Member}")]
    private partial void LogThrown(Exception exception, string driver, string member);
}
