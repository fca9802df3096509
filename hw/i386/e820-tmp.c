#include "hw/i386/e820.h"
#include "hw/fw_cfg.h"
uint8_t *e820_encode(const E820Entry *e, size_t n, size_t *ret_len){uint8_t*p=xcalloc(n,20);for(size_t i=0;i<n;i++){memcpy(p+20*i,&e[i].base,8);memcpy(p+20*i+8,&e[i].size_bytes,8);memcpy(p+20*i+16,&e[i].type,4);}*ret_len=n*20;return p;}
bool e820_install(Device *fw_cfg, const E820Entry *entries, size_t n, Error **errp){size_t len;uint8_t*p=e820_encode(entries,n,&len);bool ok=fw_cfg_add_file(fw_cfg,"etc/e820",p,(uint32_t)len,errp);free(p);return ok;}
