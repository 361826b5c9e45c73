using Microsoft.Win32.SafeHandles;
using Vfio.Core;
using Vfio.Native;

namespace Vfio.WireVectors.Setups;

/// <summary>
/// The vfio device of a set-up: the core over its function, and what a vector makes it do through its doorbell.
/// </summary>
internal sealed class SetupDevice : VfioPciDevice, IDisposable
{
    private const ulong IoEventFdWidth = 8, QuiescePlace = 0xF80;
    private readonly Setup _setup;
    private readonly SetupFunction _function;
    private readonly Doorbell? _doorbell;
    private readonly DmaLoggingService? _logging;
    private readonly List<SafeFileHandle> _events = [];
    private readonly List<RegionIoEventFd> _ioEventFds = [];

    public SetupDevice(Setup setup)
        : this(setup, new SetupFunction(setup))
    {
    }

    private SetupDevice(Setup setup, SetupFunction function)
        : base(new VfioPciCore(function))
    {
        _setup = setup;
        _function = function;
        MakeIoEventFds();
        if (setup.HasDoorbell)
            _doorbell = new(function, _events.FirstOrDefault());
        _logging = setup.HasDma ? new(null, isDmaMediated: true) : null;
        if (!setup.Migrates || _doorbell is null)
            return;
        Migration = new SetupMigration(_doorbell);
        MigrationOps = new MigrationService(this);
    }

    public override IMigration? Migration { get; }

    // What a host puts in front of a device, this program puts into it.
    public override IMigrationOps? MigrationOps { get; }

    public override IDmaLogging? DmaLogging => _logging;

    public override async ValueTask<VfioResult> OpenAsync(VfioOpenContext context, CancellationToken cancellationToken)
    {
        _doorbell?.Begin(_setup.HasDma ? context.Dma : null);
        _logging?.Open(context.Dma);
        return await base.OpenAsync(context, cancellationToken).ConfigureAwait(false);
    }

    public override async ValueTask CloseAsync(ResetCause cause)
    {
        if (_doorbell is not null)
            await _doorbell.EndAsync().ConfigureAwait(false);
        _logging?.Close();
        await base.CloseAsync(cause).ConfigureAwait(false);
    }

    public override VfioResult<int> Read(int region, ulong offset, Span<byte> destination)
    {
        if (region == RegionIndex.Config && _setup.ConfigFill is { } fill)
        {
            destination.Fill(fill);
            return destination.Length;
        }

        return region == RegionIndex.Bar0 && _doorbell is not null ? _doorbell.Read(offset, destination) : base.Read(region, offset, destination);
    }

    public override VfioResult<int> Write(int region, ulong offset, ReadOnlySpan<byte> source)
        => region == RegionIndex.Bar0 && _doorbell is not null ? _doorbell.Write(offset, source) : base.Write(region, offset, source);

    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
        => region == _setup.IoEventFds?.Region ? new VfioResult<IReadOnlyList<RegionIoEventFd>>(_ioEventFds) : base.GetIoEventFds(region);

    public override async ValueTask<VfioResult> ResetAsync(ResetCause cause, CancellationToken cancellationToken)
    {
        var idle = _doorbell is null ? VfioResult.Success : await _doorbell.QuiesceAsync(cancellationToken).ConfigureAwait(false);
        if (!idle.IsSuccess)
            return idle;
        return await base.ResetAsync(cause, cancellationToken).ConfigureAwait(false);
    }

    public void Dispose()
    {
        _function.Dispose();
        foreach (var one in _events)
            one.Dispose();
    }

    protected override void ResetDone(ResetCause cause) => _doorbell?.WasReset(cause);

    private void MakeIoEventFds()
    {
        if (_setup.IoEventFds is not { } spec)
            return;
        for (var i = 0; i < spec.EventFds.Count; i++)
        {
            var which = spec.EventFds[i];
            while (_events.Count <= which)
                _events.Add(EventFd.Create());
            var place = _setup.HasDoorbell ? QuiescePlace : (ulong)i * IoEventFdWidth;
            _ioEventFds.Add(new(place, IoEventFdWidth, which < 0 ? new SafeFileHandle(-1, ownsHandle: false) : _events[which]));
        }
    }
}
