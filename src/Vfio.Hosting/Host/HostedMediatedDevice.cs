using Microsoft.Extensions.Logging;
using Vfio.Core;
using Vfio.Hosting.Devices;

namespace Vfio.Hosting;

/// <summary>
/// A software-mediated device of a host. Made at the start, and anew for the next user once it has broken. One user at a time.
/// </summary>
internal sealed class HostedMediatedDevice(
    MediatedDeviceRegistration registration, IServiceProvider services, VfioHostOptions options, TimeProvider time, ILogger logger)
{
    private readonly Lock _changing = new();
    private BoundDevice? _bound;
    private PciId? _id;
    private string? _reason;
    private string? _use;

    public string Name => registration.Name;

    /// <summary>Makes the device, if there is none that works.</summary>
    public void Create()
    {
        lock (_changing)
            CreateLocked();
    }

    /// <summary>Takes the device, until <see cref="Release"/>.</summary>
    /// <exception cref="VfioException">EBUSY: it is in use. ENODEV: it could not be created.</exception>
    public BoundDevice Acquire(string use)
    {
        lock (_changing)
        {
            if (_use is not null)
                throw new VfioException(Errno.EBUSY, $"{Name} is in use: {_use}");
            CreateLocked();
            _use = _bound is null ? null : use;
            return _bound ?? throw new VfioException(Errno.ENODEV, $"{Name}: {_reason}");
        }
    }

    public void Release()
    {
        lock (_changing)
            _use = null;
    }

    public MediatedDevice Describe()
    {
        lock (_changing)
            return new(Name, _id, _bound?.Migration ?? [], _bound?.Describe(_use), _reason);
    }

    private void CreateLocked()
    {
        if (_bound is { Device.Fault: null })
            return;
        (_bound, _id, _reason) = (null, null, null);
        try
        {
            var device = registration.Create(services);
            var guarded = new GuardedDevice(device, core: null, Name, options.OperationTimeout, time, logger);
            _bound = BoundDevice.Of(Name, degraded: null, guarded);
            _id = (device as MediatedPciDevice)?.Id;
        }
        catch (Exception e)
        {
            _reason = $"it could not be created: {e.GetType().Name}: {GuardedDevice.FirstLine(e.Message)}";
            logger.LogError(e, "Mediated device {Name} could not be created", Name);
        }
    }
}
