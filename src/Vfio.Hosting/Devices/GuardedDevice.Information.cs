namespace Vfio.Hosting.Devices;

// What the device says of itself: every answer is checked before a front end sizes or maps anything by it.
internal sealed partial class GuardedDevice
{
    private const int MostRegions = 4096;
    private static readonly DeviceInfo Broken = new(DeviceFlags.Pci, 0, 0);

    public override DeviceInfo Info
    {
        get
        {
            if (_fault is not null)
                return Broken;
            try
            {
                var info = _inner.Info;
                if (info.RegionCount is >= 0 and <= MostRegions && info.IrqCount is >= 0 and <= MostRegions)
                    return info;
                Break($"{nameof(Info)} answered {info.RegionCount} regions and {info.IrqCount} IRQ indexes");
            }
            catch (Exception e)
            {
                Threw(nameof(Info), e);
            }

            return Broken;
        }
    }

    public override VfioResult<RegionInfo> GetRegionInfo(int region)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.GetRegionInfo(region);
            if (!result.IsSuccess)
                return result;
            if (result.Value is null)
                return Break($"{nameof(GetRegionInfo)} of region {region} answered null");
            return result.Value.SparseAreas is not { } areas || AreInside(areas, result.Value.Size)
                ? result
                : Break($"{nameof(GetRegionInfo)} of region {region} answered a mappable area outside its {result.Value.Size} bytes");
        }
        catch (Exception e)
        {
            return Threw(nameof(GetRegionInfo), e);
        }
    }

    public override VfioResult<IrqInfo> GetIrqInfo(int index)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            return _inner.GetIrqInfo(index);
        }
        catch (Exception e)
        {
            return Threw(nameof(GetIrqInfo), e);
        }
    }

    public override VfioResult<RegionMapping> Map(int region)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.Map(region);
            if (!result.IsSuccess)
                return result;
            var info = _inner.GetRegionInfo(region);
            return result.Value?.File is not null && result.Value.Areas is { } areas && result.Value.FileOffset >= 0
                && info.IsSuccess && AreInside(areas, info.Value.Size)
                ? result
                : Break($"{nameof(Map)} of region {region} answered no file, or areas outside the region");
        }
        catch (Exception e)
        {
            return Threw(nameof(Map), e);
        }
    }

    public override VfioResult<IReadOnlyList<RegionIoEventFd>> GetIoEventFds(int region)
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.GetIoEventFds(region);
            return !result.IsSuccess || result.Value is not null
                ? result
                : Break($"{nameof(GetIoEventFds)} of region {region} answered null");
        }
        catch (Exception e)
        {
            return Threw(nameof(GetIoEventFds), e);
        }
    }

    public override VfioResult<HotResetInfo> GetHotResetInfo()
    {
        if (_fault is not null)
            return Errno.EIO;
        try
        {
            var result = _inner.GetHotResetInfo();
            return !result.IsSuccess || result.Value is { Devices: not null }
                ? result
                : Break($"{nameof(GetHotResetInfo)} answered null");
        }
        catch (Exception e)
        {
            return Threw(nameof(GetHotResetInfo), e);
        }
    }

    public override void RequestRelease(int count)
    {
        if (_fault is not null)
            return;
        try
        {
            _inner.RequestRelease(count);
        }
        catch (Exception e)
        {
            Threw(nameof(RequestRelease), e);
        }
    }

    private static bool AreInside(IReadOnlyList<RegionArea> areas, ulong size)
    {
        foreach (var area in areas)
        {
            if (area.Offset > size || area.Size > size - area.Offset)
                return false;
        }

        return true;
    }
}
