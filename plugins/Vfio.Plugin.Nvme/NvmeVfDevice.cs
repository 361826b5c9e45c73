using Microsoft.Extensions.Logging;
using Vfio.Plugin.Nvme.Registers;

namespace Vfio.Plugin.Nvme;

/// <summary>An NVMe VF: everything as the core has it, but for the registers that reach beyond the VF.</summary>
internal sealed partial class NvmeVfDevice : VfioPciDevice
{
    private readonly ControllerLink? _link;
    private readonly ILogger _logger;
    private readonly ResetLog _resets = new();
    private long _droppedSubsystemResets;

    /// <param name="core">The core over the VF.</param>
    /// <param name="link">The controller behind it; null if it is not known.</param>
    /// <param name="logger">Where resets are logged.</param>
    public NvmeVfDevice(IVfioPciCore core, ControllerLink? link, ILogger logger)
        : base(core)
    {
        _link = link;
        _logger = logger;
    }

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        if (_link is not null)
        {
            var online = await _link.CheckOnlineAsync(cancellationToken).ConfigureAwait(false);
            if (!online.IsSuccess)
            {
                LogOffline(_link.Offline);
                return online;
            }
        }

        return await base.OpenAsync(context, cancellationToken).ConfigureAwait(false);
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
    {
        var info = base.GetRegionInfo(region);
        return region == RegionIndex.Bar0 && info.IsSuccess ? RegisterPage.Trap(info.Value) : info;
    }

    public override VfioResult<RegionMapping> Map(int region)
    {
        var mapping = base.Map(region);
        return region == RegionIndex.Bar0 && mapping.IsSuccess ? RegisterPage.Trap(mapping.Value) : mapping;
    }

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        var result = base.Read(region, offset, destination);
        if (region == RegionIndex.Bar0 && result.IsSuccess)
            ControllerRegisters.Capabilities.Hide(offset, destination[..result.Value], ControllerRegisters.SubsystemResetSupported);
        return result;
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
        => region == RegionIndex.Bar0 && ControllerRegisters.SubsystemReset.Overlaps(offset, source.Length)
            ? WriteAround(offset, source)
            : base.Write(region, offset, source);

    public override IEnumerable<KeyValuePair<string, string>> Describe()
    {
        if (_link is { } link)
        {
            var known = link.Known;
            yield return new("controlling function", $"{link.Primary}");
            yield return new("secondary controller", $"{known.ControllerId}, {(known.Online ? "online" : "offline")}");
            yield return new("resources", $"{known.QueueResources} queue, {known.InterruptResources} interrupt");
        }

        yield return new("resets", _resets.ToString());
        yield return new("subsystem resets dropped", $"{Interlocked.Read(ref _droppedSubsystemResets)}");
    }

    protected override void ResetPrepare(ResetCause cause) => LogResetPrepare(cause);

    protected override void ResetDone(ResetCause cause)
    {
        _resets.Add(cause);
        LogResetDone(cause);
    }

    // A guest must not reset its neighbours: the bytes of NSSR go nowhere, those before and behind it go where they belong.
    private VfioResult<int> WriteAround(ulong offset, ReadOnlySpan<byte> source)
    {
        var register = ControllerRegisters.SubsystemReset;
        if (!Core.MemoryEnabled)
            return Errno.EIO;
        var done = 0;
        if (offset < register.Offset)
        {
            var before = (int)(register.Offset - offset);
            var result = base.Write(RegionIndex.Bar0, offset, source[..before]);
            if (!result.IsSuccess || result.Value < before)
                return result;
            done = before;
        }

        // Said once: a guest that goes on with it must not fill the log. The count is in the description.
        if (Interlocked.Increment(ref _droppedSubsystemResets) == 1)
            LogSubsystemReset();
        var end = register.Offset + (ulong)register.Length;
        done = (int)Math.Min((ulong)source.Length, end - offset);
        if (done == source.Length)
            return done;
        var rest = base.Write(RegionIndex.Bar0, end, source[done..]);
        return rest.IsSuccess ? done + rest.Value : rest;
    }

    [LoggerMessage(4101, LogLevel.Warning, "Not opened; {Reason}")]
    private partial void LogOffline(string reason);

    [LoggerMessage(4102, LogLevel.Debug, "About to be reset: {Cause}")]
    private partial void LogResetPrepare(ResetCause cause);

    [LoggerMessage(4103, LogLevel.Information, "Reset: {Cause}")]
    private partial void LogResetDone(ResetCause cause);

    [LoggerMessage(4104, LogLevel.Warning, "The guest wrote NSSR; an NVM subsystem reset would reach its neighbours and was dropped")]
    private partial void LogSubsystemReset();
}
